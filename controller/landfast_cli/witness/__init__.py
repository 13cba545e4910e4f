"""A witness: it cosigns a log's checkpoints as long as each goes on from the one before, and trusts nobody for it."""
