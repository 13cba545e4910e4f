"""Standalone mode: the policy comes from a YAML file on this host, without a controller."""

from pathlib import Path

from landfast.policy import canonical, source
from landfast.policy.errors import PolicyError
from landfast.policy.model import Policy
from landfast.policy.succession import succeed
from landfast_agent.errors import BadInput


def read(path: Path, previous: Policy | None) -> tuple[bytes, list[str]]:
    """Canonical form of the policy file as the version after `previous`, and warnings.

    A file that says what `previous` says gives `previous` again. Raises BadInput with every error of the file.
    """
    try:
        found = source.read(path.read_bytes(), str(path))
        following = succeed(found.draft, previous)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}: give a readable policy file to --policy") from error
    except PolicyError as error:
        raise BadInput(str(error)) from error
    if previous is not None and succeed(previous.draft(), previous) == following:
        return canonical.encode(previous), [str(warning) for warning in found.warnings]
    return canonical.encode(following), [str(warning) for warning in found.warnings]
