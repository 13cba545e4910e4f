"""How an accepted version of the policy reaches the hosts: in stages, each proved before the next, or all at once."""
