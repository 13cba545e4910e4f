"""Policy versions: fetched, proposed, printed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import grpc
from securesystemslib.signer import Signer

from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.model import Draft, Policy
from landfast.policy.succession import succeed
from landfast.policy.widening import Widening
from landfast.trust import breakglass, metadata
from landfast.trust.breakglass import Ground
from landfast.trust.errors import TrustError
from landfast.v1.policy_pb2 import (
    ApproveChangeResponse,
    GetPolicyRequest,
    ListPoliciesRequest,
    PolicyVersion,
    ProposePolicyRequest,
    ProposePolicyResponse,
)
from landfast_cli import differences, signing
from landfast_cli.errors import AnswerIsNoError, BadInputError
from landfast_cli.output import json_time, short, time
from landfast_cli.session import PROPOSAL_TIMEOUT_S, TIMEOUT_S, Session

#: Somebody else may be changing the policy too; a change of single rules is simply made again on top of theirs.
_ATTEMPTS = 5

#: A policy is approved for this long; after that hosts take no copy of it any more, and those that have it keep it.
_LIFETIME = timedelta(days=366)

HEADINGS = ("VERSION", "CREATED", "AUTHOR", "REASON")

#: Turns the newest policy into the next one's contents.
Edit = Callable[[Policy], Draft]


class Head(NamedTuple):
    """The newest version, None when there is none, and what the next one is judged by.

    These differ while the glass is broken.
    """

    policy: Policy | None
    ground: Ground


class Outcome(NamedTuple):
    """What the controller says of a change, and how the change lets out more than what was approved."""

    answer: ProposePolicyResponse | ApproveChangeResponse
    widened: tuple[Widening, ...]
    at_once: bool  # it was asked to go to all hosts at once


def fetch(session: Session, number: int = 0) -> PolicyVersion:
    """A version, the newest for 0. NOT_FOUND when it does not exist."""
    request = GetPolicyRequest(version=number)
    return session.policies.GetPolicy(request, timeout=TIMEOUT_S).policy_version


def newest(session: Session) -> Policy | None:
    """The newest policy; None while there is none."""
    return head(session).policy


def head(session: Session) -> Head:
    """Where a change begins, also the first one."""
    try:
        return head_of(fetch(session))
    except grpc.RpcError as failure:
        if failure.code() == grpc.StatusCode.NOT_FOUND:
            return Head(None, Ground())
        raise


def head_of(version: PolicyVersion) -> Head:
    """Raises AnswerIsNoError when the controller gives what does not belong together."""
    policy = decoded(version)
    try:
        return Head(policy, breakglass.ground(policy, metadata.read_targets(version.targets).signed))
    except TrustError as error:
        raise AnswerIsNoError(f"policy {policy.version} of the controller: {error}") from None


def decoded(version: PolicyVersion) -> Policy:
    """Raises AnswerIsNoError when the controller gives what is no policy."""
    try:
        return canonical.decode(version.policy.canonical)
    except PolicyError as error:
        raise AnswerIsNoError(f"policy {version.policy.version} of the controller: {error}") from None


def change(session: Session, edit: Edit, why: tuple[str, str], *, at_once: bool) -> Outcome:
    """Makes a change on top of the newest version, again when another one got in between."""
    for attempt in range(1, _ATTEMPTS + 1):
        before = head_of(fetch(session))
        assert before.policy
        try:
            return propose(session, edit(before.policy), before, why, at_once=at_once)
        except grpc.RpcError as failure:
            if failure.code() != grpc.StatusCode.FAILED_PRECONDITION or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def propose(session: Session, draft: Draft, before: Head, why: tuple[str, str], *, at_once: bool) -> Outcome:
    """Proposes what `draft` says as the version after `before`, with an approval of one's own if one has a key.

    `why` is reason and ticket. Where that completes it, it may go to all hosts `at_once`.
    """
    reviewed = before.ground.broken.to_fields() if before.ground.broken else {}
    signer = signing.load(session.login.signing_key()) if session.login.key else None
    return submit(session, draft, before, why, reviewed, signer, at_once=at_once)


def submit(  # noqa: PLR0917  # what the metadata says, and who signs it
    session: Session,
    draft: Draft,
    before: Head,
    why: tuple[str, str],
    more: dict[str, Any],
    signer: Signer | None,
    *,
    at_once: bool,
) -> Outcome:
    """Hands the version after `before` to the controller. `why` is reason and ticket, `more` what else is signed."""
    try:
        policy = succeed(draft, before.policy)
        content = canonical.encode(policy)
    except PolicyError as error:
        raise BadInputError(f"the policy is refused:\n{error}") from None
    targets = metadata.draft_targets(policy.version, content, session.name, why, _LIFETIME, more)
    if signer:
        signing.sign(targets, signer)
    request = ProposePolicyRequest(canonical=content, targets=targets.to_bytes(), at_once=at_once)
    request.reason, request.ticket = why
    answer = session.policies.ProposePolicy(request, timeout=PROPOSAL_TIMEOUT_S)
    return Outcome(answer, differences.widened(before.ground.policy, draft), at_once)


def history(session: Session, limit: int) -> Iterator[PolicyVersion]:
    """The newest `limit` versions, newest first."""
    before = 0
    while limit > 0:
        request = ListPoliciesRequest(limit=min(limit, 1000), before=before)
        page = session.policies.ListPolicies(request, timeout=TIMEOUT_S).policy_versions
        yield from page
        if not page or page[-1].policy.version == 1:
            return
        limit, before = limit - len(page), page[-1].policy.version


def document(version: PolicyVersion) -> dict[str, Any]:
    return {
        "version": version.policy.version,
        "created": json_time(version.created),
        "author": version.author,
        "reason": version.reason,
        "ticket": version.ticket,
        "digest": version.policy.digest.hex(),
        "map_digest": version.map_digest.hex(),
        "approvers": list(version.approvers),
    }


def row(version: PolicyVersion) -> tuple[str, ...]:
    ticket = f" ({version.ticket})" if version.ticket else ""
    broken = "" if version.approvers else "break-glass: "
    return str(version.policy.version), time(version.created), short(version.author), broken + version.reason + ticket
