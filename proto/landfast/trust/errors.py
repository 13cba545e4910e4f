"""TrustError: what cannot be believed, and who could mend it."""


class TrustError(ValueError):
    """Keys, metadata or a policy that do not prove what they should. Says what is wrong, where, and what to do."""
