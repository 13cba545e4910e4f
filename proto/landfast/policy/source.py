"""The policy file, YAML for people: `read` it and `write` it. Only the CLI and standalone mode do."""

from landfast.policy.reader import Source, read
from landfast.policy.writer import write

__all__ = ["Source", "read", "write"]
