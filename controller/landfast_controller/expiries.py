"""No policy version may introduce a rule that has expired already. One that expired meanwhile may stay."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from landfast.policy.model import DataClass, Policy, Rule, UnixPeer
from landfast.policy.times import format_time
from landfast_controller.errors import InvalidError


class _Expiring(NamedTuple):
    """A rule that ends. `rule` is its text."""

    where: str
    rule: str
    expires: int


def check_expiries(policy: Policy, previous: Policy | None, now: float) -> None:
    """Raises InvalidError naming each rule of `policy` that is new, or has a new expiry, before `now` (unix time)."""
    known = set(_expiring(previous)) if previous else set()
    late = [each for each in _expiring(policy) if each.expires <= now and each not in known]
    if late:
        raise InvalidError("\n".join(map(_finding, late)))


def _expiring(policy: Policy) -> Iterator[_Expiring]:
    for each in policy.classes:
        for where, rules in _lists(each):
            for rule in rules:
                if rule.expires is not None:
                    yield _Expiring(f"{each.name} {where}", str(rule), rule.expires)


def _lists(each: DataClass) -> Iterator[tuple[str, Sequence[Rule | UnixPeer]]]:
    yield from (("allow", each.allow), ("serve", each.serve), ("peers", each.peers), ("peers", each.unix_peers))


def _finding(late: _Expiring) -> str:
    expired = format_time(late.expires)
    return f"{late.where} {late.rule}: expired at {expired}; give a later time, or leave the rule out"
