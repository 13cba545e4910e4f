"""`make bench-log`: what it costs to keep the log, beside a server that keeps nothing.

batches      what hosts push: real batches, in chains
pushing      hosts, with a stream for each, to one server
following    auditors: one that reads, one that has stopped
bare         the rival: the simplest server that takes the same bytes by the same method, and answers
unproved     the controller without its hashes, signatures and checkpoints
stage        all of them as processes, and a directory with the log
covered      from an event to the checkpoint that covers it
contest      the servers in turn, round after round
report       the result as a table, JSON or Markdown
"""
