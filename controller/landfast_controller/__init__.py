"""The controller: identity, policy distribution, the log of events, and who may read it."""
