"""`make bench`: what Landfast costs beside what people use today, side by side in one run, as ratios.

traffic.c       the load generators, and a probe that watches verdicts
stage           the two ends, in network namespaces, on one CPU
prefixes        allowlists: the same ones for everybody
ours, rivals    what is compared
measure         going through all of them, forward and backward, round after round
replacement     100,000 prefixes replaced under continuous traffic
statistics      p10, ratios and their confidence
targets         what is promised, and whether it is kept
conditions      where and when it was measured, and what may have disturbed it
report, tables  the result as a table, JSON or Markdown
fleet           `make bench-fleet`: a thousand hosts, a new policy, and a bare broadcast of the same bytes
"""
