"""`make demo`: the whole of Landfast on one machine, with real programs, each step checked and timed.

setting     the network, the servers and the commands: what the story happens in
story       the steps
telling     running the steps, and the table at the end
remains     removing what a demonstration made, by name, however it ended
"""
