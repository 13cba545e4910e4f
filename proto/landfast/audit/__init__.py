"""What an auditor finds out about a log without trusting who keeps it.

Two verdicts: *integrity*, that nothing was altered, reordered or replaced; *completeness*, that nothing is missing of
what the hosts recorded, and that no host is silent.
"""
