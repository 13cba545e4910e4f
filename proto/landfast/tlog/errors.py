"""TlogError: a log, or a part of it, that is not what it says."""


class TlogError(ValueError):
    """Names what is wrong and where: a path, an index, a line."""
