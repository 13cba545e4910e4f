"""How one root follows another: signed by the keys of both, and, where it changes who approves, by who approves now."""

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root

from landfast.trust import metadata
from landfast.trust.approvals import Approvals, words
from landfast.trust.errors import TrustError


def check_root(following: Metadata[Root], before: Root | None) -> None:
    """Raises TrustError unless `following` may take the place of `before`, which is None when trust begins with it."""
    after = following.signed
    if before and after.version != before.version + 1:
        raise TrustError(f"root {after.version}: it does not follow root {before.version}")
    for signers in filter(None, (before, after)):
        _check_signed(signers, following)
    Approvals.from_root(after.unrecognized_fields)
    if before:
        _check_handover(following, before)


def _check_signed(signers: Root, following: Metadata[Root]) -> None:
    try:
        signers.verify_delegate("root", following.signed_bytes, following.signatures)
    except RepositoryError as error:
        raise TrustError(f"root {following.signed.version}: {error}; have more holders of root keys sign it") from None


def _check_handover(following: Metadata[Root], before: Root) -> None:
    """Raises TrustError when it changes who approves, and they have not approved that."""
    if unmet := unapproved(following, before):
        raise TrustError(
            f"root {following.signed.version} changes who approves; missing approvals, by the rules of root "
            f"{before.version}: {words(unmet)}"
        )


def unapproved(following: Metadata[Root], before: Root) -> dict[str, int]:
    """How many approvals a root lacks, by group: none when it leaves alone who approves."""
    if _approving(before) == _approving(following.signed):
        return {}
    rules = Approvals.from_root(before.unrecognized_fields)
    return rules.unmet(metadata.approvers(before, following), "", widens=True)


def _approving(root: Root) -> tuple[object, ...]:
    """What root says about approvals: keys with their holders, and the rules."""
    keys = {keyid: root.keys[keyid].to_dict() for keyid in root.roles["targets"].keyids if keyid in root.keys}
    return keys, root.roles["targets"].threshold, Approvals.from_root(root.unrecognized_fields)
