"""What can be wrong with a log.

TlogError          a log, or a part of it, that is not what it says
└── PrunedError        a part of it is not kept any more
"""


class TlogError(ValueError):
    """Names what is wrong and where: a path, an index, a line."""


class PrunedError(TlogError):
    """Says from which index on entries are there."""
