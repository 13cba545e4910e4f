"""Changes that wait for approval: fetched, checked, signed, printed."""

import time as clock
from collections.abc import Iterable, Iterator
from typing import Any

from tuf.api.metadata import Metadata, Targets

from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.model import Policy
from landfast.policy.succession import check_succession
from landfast.trust import breakglass, metadata
from landfast.trust.approvals import Approvals, words
from landfast.trust.errors import TrustError
from landfast.v1.policy_pb2 import Change, GetChangeRequest, ListChangesRequest
from landfast_cli import versions
from landfast_cli.errors import AnswerIsNoError
from landfast_cli.output import json_time, short, time
from landfast_cli.session import TIMEOUT_S, Session
from landfast_cli.versions import Head

HEADINGS = ("CHANGE", "STATE", "VERSION", "AUTHOR", "REASON", "WAITS FOR")
_PAGE = 100

_AGAIN = "propose it again if it is still wanted"
_REMEDIES = {Change.STATE_ACCEPTED: "take it back with `landfast policy rollback` if it is not wanted any more"}


def fetch(session: Session, number: int) -> Change:
    return session.policies.GetChange(GetChangeRequest(id=number), timeout=TIMEOUT_S).change


def listed(session: Session, *, ended: bool) -> Iterator[Change]:
    """Open changes, newest first; all of them when `ended` ones are wanted too."""
    before = 0
    while page := session.policies.ListChanges(
        ListChangesRequest(before=before, limit=_PAGE), timeout=TIMEOUT_S
    ).changes:
        yield from (each for each in page if ended or each.state == Change.STATE_OPEN)
        before = page[-1].id
        if before == 1:
            return


def checked(session: Session, change: Change) -> tuple[Metadata[Targets], Policy, Head]:
    """What a signature would approve, the policy that this is, and what is there before it.

    Raises AnswerIsNoError when it is no longer open, or when they do not belong together: what is shown is signed.
    """
    if change.state != Change.STATE_OPEN:
        why = f" ({change.closed_why})" if change.closed_why else ""
        raise AnswerIsNoError(f"change {change.id} is {state(change)}{why}; {_REMEDIES.get(change.state, _AGAIN)}")
    before = versions.head(session)
    try:
        draft = metadata.read_targets(change.targets)
        policy = canonical.decode(change.canonical)
        if metadata.digest_of(draft.signed) != canonical.digest(change.canonical):
            raise TrustError("what is to be signed is not about the policy that is shown")
        if draft.signed.version != policy.version:
            raise TrustError(f"policy {policy.version} is to be signed as version {draft.signed.version}")
        breakglass.check_reviewed(draft.signed, before.ground)
        check_succession(policy, before.policy)
    except (TrustError, PolicyError) as error:
        raise AnswerIsNoError(f"change {change.id}: {error}; do not approve it, ask its author") from None
    return draft, policy, before


def state(change: Change) -> str:
    return Change.State.Name(change.state).removeprefix("STATE_").lower()


def waiting(change: Change, rules: Approvals | None = None) -> str:
    """Who still has to approve; `-` when nobody. By `rules` also who could; `change` is a whole one then."""
    if change.state != Change.STATE_OPEN or not change.missing:
        return "-"
    return words(dict(sorted(change.missing.items())), _could(change, rules) if rules else {})


def _could(change: Change, rules: Approvals) -> dict[str, list[str]]:
    """By group, whose approval would count that is not there yet."""
    broken = breakglass.reviewed(metadata.read_targets(change.targets).signed)
    others = {*change.approvers, proposer(change), broken.by if broken else ""}
    return {group: [name for name in members if name not in others] for group, members in rules.groups.items()}


def proposer(change: Change) -> str:
    """The name of who has proposed it, by which it may be known as an approver."""
    return change.author.rpartition("/")[2]


def rows(session: Session, changes: Iterable[Change], rules: Approvals) -> Iterator[tuple[str, ...]]:
    """A row of each, as HEADINGS says. Who could still approve is in no list: open ones are fetched whole."""
    for each in changes:
        whole = fetch(session, each.id) if each.state == Change.STATE_OPEN else each
        yield _row(whole, waiting(whole, rules))


def _row(change: Change, who: str) -> tuple[str, ...]:
    ticket = f" ({change.ticket})" if change.ticket else ""
    return str(change.id), state(change), str(change.version), short(change.author), change.reason + ticket, who


def proposes_and_approves(change: Change, rules: Approvals) -> bool:
    """Whether one of its approvals is for nothing."""
    return bool(rules.groups) and proposer(change) in change.approvers


def document(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "state": state(change),
        "version": change.version,
        "author": change.author,
        "reason": change.reason,
        "ticket": change.ticket,
        "created": json_time(change.created),
        "expires": json_time(change.expires),
        "digest": change.digest.hex(),
        "approvers": list(change.approvers),
        "missing": dict(change.missing),
        "widens": list(change.widens),
        "widenings": change.widenings,
        "closed_by": change.closed_by,
        "closed_why": change.closed_why,
    }


def description(change: Change, rules: Approvals) -> Iterator[str]:
    yield f"change {change.id}: policy {change.version}, {state(change)}"
    yield f"  proposed   {time(change.created)} UTC by {short(change.author)}"
    yield f"  reason     {change.reason}" + (f" ({change.ticket})" if change.ticket else "")
    yield f"  digest     {change.digest.hex()}"
    own = f" ({proposer(change)} has proposed it, and does not count)" if proposes_and_approves(change, rules) else ""
    yield f"  approved   {', '.join(change.approvers) or 'by nobody yet'}{own}"
    if change.state == Change.STATE_OPEN:
        left = (change.expires.ToNanoseconds() - clock.time_ns()) // 3_600_000_000_000
        yield f"  waits for  {waiting(change, rules)}; {left} hours are left"
    elif change.closed_why:
        yield f"  ended      {short(change.closed_by)}: {change.closed_why}"
