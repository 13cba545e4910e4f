"""The conformance suite: every known way out, tried under Landfast and under its rivals, judged by what is on the wire.

`python -m tests.conformance` runs it; README.md is the contract of a technique.
"""
