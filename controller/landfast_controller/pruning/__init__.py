"""Retention: which entries of the log are no longer kept, said in the log before they go."""
