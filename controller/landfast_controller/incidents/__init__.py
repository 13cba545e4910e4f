"""Incidents: what rules find in the log, until somebody has looked at it and closed it."""
