"""`make demo`: the whole of Landfast on one machine, with real programs, each step checked and timed.

setting     the network, the servers and the commands: what the story happens in
story       the steps
shell       a tagged workload that lives on while the agent does not
chapters    what the auditor must have seen of it
telling     running the steps, and the table at the end
ending      taking everything down, or how to go on with KEEP=1
remains     removing what a demonstration made, by name, however it ended
"""
