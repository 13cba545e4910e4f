"""`make bench-fleet`: how soon a whole fleet has proved a new policy, beside a bare broadcast of the same bytes.

deployment   a controller's directory with hosts that are enrolled, and the policies to come
hosts        simulated hosts, in processes of their own: the same ones for both servers
bare         the rival: the simplest server that sends the same bytes to the same hosts, and reads what they answer
stage        all of them as processes
log          what the controller's database holds, seen from beside it
contest      both servers in turn, round after round
report       the result as a table, JSON or Markdown
"""
