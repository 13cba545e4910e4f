"""Policy files: read, checked, written."""

from pathlib import Path
from typing import Any

import msgspec

from landfast.policy import canonical, source
from landfast.policy.errors import PolicyError
from landfast.policy.model import Draft, Policy
from landfast.policy.source import Source
from landfast.policy.succession import succeed
from landfast.policy.tables import Tables, compile_policy
from landfast.v1.policy_pb2 import PolicyVersion
from landfast_cli.errors import BadInputError, CouldNotError
from landfast_cli.output import short, time
from landfast_cli.versions import decoded


def read(path: Path) -> Source:
    """What a file says. Raises BadInputError with every finding."""
    try:
        return source.read(path.read_bytes(), str(path))
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}; name the policy file") from None
    except PolicyError as error:
        raise BadInputError(f"{path} is refused:\n{error}") from None


def compiled(draft: Draft) -> tuple[Policy, Tables]:
    """A policy of its own, as a kernel would hold it. Raises BadInputError when a limit is exceeded."""
    try:
        policy = succeed(draft, None)
        return policy, compile_policy(policy, canonical.digest(canonical.encode(policy)))
    except PolicyError as error:
        raise BadInputError(f"the policy is refused:\n{error}") from None


def text(version: PolicyVersion) -> str:
    """The file of a version; how it came about is told in its first line."""
    ticket = f" ({version.ticket})" if version.ticket else ""
    made = f"{time(version.created)} UTC by {short(version.author)}: {version.reason}{ticket}"
    return f"# policy {version.policy.version}, {made}\n{source.write(decoded(version))}"


def plain(version: PolicyVersion) -> Any:
    """The canonical form as JSON values."""
    return msgspec.json.decode(version.policy.canonical)


def write_new(path: Path, content: str | bytes) -> None:
    """Writes a file that must not exist yet."""
    try:
        with path.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
    except FileExistsError:
        raise BadInputError(f"{path} exists; nothing is overwritten, choose another file") from None
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}; choose another file") from None
