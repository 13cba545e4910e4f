"""Rules that are past their expiry. A policy may hold them; nobody may introduce one."""

from collections.abc import Iterator

from landfast.policy.errors import Finding, PolicyError
from landfast.policy.model import ClassDraft, Draft, Policy, Rule, UnixPeer
from landfast.policy.times import format_time

_Placed = tuple[str, Rule | UnixPeer]


def refuse_expired(proposed: Policy | Draft, previous: Policy | Draft | None, now: float) -> None:
    """Raises `PolicyError` with every rule that has expired and is not in `previous` as it is.

    `now` is in seconds since 1970.
    """
    before = set(_expired(previous, now)) if previous else set()
    introduced = [placed for placed in _expired(proposed, now) if placed not in before]
    if introduced:
        raise PolicyError(_finding(*placed) for placed in introduced)


def _expired(policy: Policy | Draft, now: float) -> Iterator[_Placed]:
    for each in policy.classes:
        yield from (placed for placed in _rules(each) if _is_past(placed[1], now))


def _rules(each: ClassDraft) -> Iterator[_Placed]:
    yield from ((f"{each.name}.allow", rule) for rule in each.allow)
    yield from ((f"{each.name}.serve", rule) for rule in each.serve)
    yield from ((f"{each.name}.peers", rule) for rule in each.peers)
    yield from ((f"{each.name}.peers", rule) for rule in each.unix_peers)


def _is_past(rule: Rule | UnixPeer, now: float) -> bool:
    return rule.expires is not None and rule.expires <= now


def _finding(where: str, rule: Rule | UnixPeer) -> Finding:
    past = format_time(rule.expires or 0)
    return Finding("policy", 0, where, f"the new rule {rule} expired at {past}", "give it a later expiry, or none")
