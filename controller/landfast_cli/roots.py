"""The root metadata that this person believes: kept beside the configuration, and carried on from there.

The first one is given to `landfast login --root`, or believed as the controller tells it then: compare its fingerprint
with what `init` has printed.
"""

from pathlib import Path

from tuf.api.metadata import Root

from landfast.identity import write_private
from landfast.trust import metadata
from landfast.trust.approvals import Approvals
from landfast.trust.errors import TrustError
from landfast.trust.succession import check_root
from landfast.v1.policy_pb2 import ListRootsRequest
from landfast_cli.errors import AnswerIsNoError, BadInputError
from landfast_cli.session import TIMEOUT_S, Session


def path_beside(config: Path) -> Path:
    return config.with_name(f"{config.name}.root.json")


def begin(session: Session, given: Path | None) -> bytes:
    """The root to begin with: the one in a file, else the controller's first. Raises for one that signs nothing."""
    try:
        root = given.read_bytes() if given else next(iter(_listed(session)), b"")
        check_root(metadata.read_root(root), None)
    except (OSError, TrustError) as error:
        raise BadInputError(f"root metadata {given or 'of the controller'}: {error}") from None
    return root


def newest(session: Session, config: Path) -> bytes:
    """The newest root that follows from the one that is believed; from then on that is believed.

    Raises AnswerIsNoError when the controller tells a story of its own.
    """
    path = path_beside(config)
    try:
        believed = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror}; run `landfast login` again") from None
    root = _followed(believed, _listed(session))
    if root != believed:
        write_private(path, root)
    return root


def rules(session: Session) -> Approvals:
    """Which approvals a change takes, by the newest root for this command's configuration."""
    import click

    root = parsed(newest(session, click.get_current_context().find_root().params["config"]))
    return Approvals.from_root(root.unrecognized_fields)


def parsed(root: bytes) -> Root:
    return metadata.read_root(root).signed


def _listed(session: Session) -> list[bytes]:
    return list(session.policies.ListRoots(ListRootsRequest(), timeout=TIMEOUT_S).roots)


def _followed(believed: bytes, told: list[bytes]) -> bytes:
    root = parsed(believed)
    if len(told) < root.version or parsed(told[root.version - 1]) != root:
        raise AnswerIsNoError(
            f"the controller tells another root {root.version} than the one that you believe; do not sign anything, "
            "and compare with others (landfast trust show)"
        )
    for content in told[root.version :]:
        try:
            following = metadata.read_root(content)
            check_root(following, root)
        except TrustError as error:
            raise AnswerIsNoError(f"the controller's root metadata is not to be believed: {error}") from None
        believed, root = content, following.signed
    return believed
