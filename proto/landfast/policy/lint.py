"""What a reviewer should see in a policy that is valid: rules that are wide, needless, or not what they look like.

Limits: a prefix is wide when it is shorter than /16 (IPv4) or /32 (IPv6, what a registry gives to one network); an
expiry is near within 14 days.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from landfast.policy import special
from landfast.policy.addresses import Prefix, parse_prefix
from landfast.policy.model import ClassDraft, Draft, Policy, Rule, UnixPeer
from landfast.policy.ports import MAX_PORT
from landfast.policy.redundancy import Redundancy, redundancy
from landfast.policy.remotes import embedded_ipv4, is_loopback
from landfast.policy.times import format_time

NEAR_DAYS = 14
_NEAR_S = NEAR_DAYS * 24 * 60 * 60
_NAMED = 3  # of the other rules, or ranges, that a remark is about
_WIDEST_IPV4, _WIDEST_IPV6 = parse_prefix("0.0.0.0/16"), parse_prefix("::/32")


class RemarkKind(StrEnum):
    WIDE = "wide"
    ANY_PORT = "any-port"
    SPECIAL = "special-purpose"
    EMBEDDED = "embedded-ipv4"
    LOOPBACK = "loopback"
    SHADOWED = "shadowed"
    OVERLAP = "overlap"
    EXPIRING = "expiring"
    EXPIRED = "expired"


#: What reading a policy file warns of already, with the line of the value.
TOLD_BY_READER = (RemarkKind.EMBEDDED, RemarkKind.LOOPBACK, RemarkKind.EXPIRED)


class Remark(Struct, frozen=True):
    """`where` is the path of a list, e.g. `data_classes.eea-user-data.allow`, `item` what stands in it."""

    kind: RemarkKind
    where: str
    item: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.item} {self.problem}; {self.remedy}"


_ELSEWHERE = "make sure that it means what it should on every host"
_Said = Iterator[tuple[RemarkKind, str, str]]  # kind, problem, remedy


def lint(policy: Policy | Draft, now: float) -> tuple[Remark, ...]:
    """Every remark about a policy at the time `now`, in seconds since 1970: class by class, then groups."""
    classes = (remark for each in policy.classes for remark in _class(each, policy.groups, now))
    return (*classes, *_groups(policy.groups))


def _groups(groups: dict[str, tuple[str, ...]]) -> Iterator[Remark]:
    for name, members in groups.items():
        for member in members:
            yield from _remarks(f"groups.{name}", member, _about_prefix(parse_prefix(member)))


def _class(each: ClassDraft, groups: dict[str, tuple[str, ...]], now: float) -> Iterator[Remark]:
    for key, rules in (("allow", each.allow), ("serve", each.serve), ("peers", each.peers)):
        where = f"data_classes.{each.name}.{key}"
        for rule in rules:
            yield from _remarks(where, str(rule), _about_rule(rule, key, now))
        lasting = [rule for rule in rules if rule.expires is None or rule.expires > now]
        yield from _about_each_other(where, lasting, groups)
    for peer in each.unix_peers:
        yield from _remarks(f"data_classes.{each.name}.peers", str(peer), _about_expiry(peer, now))


def _remarks(where: str, item: str, said: _Said) -> Iterator[Remark]:
    return (Remark(kind, where, item, problem, remedy) for kind, problem, remedy in said)


def _about_rule(rule: Rule, key: str, now: float) -> _Said:
    prefix = None if rule.group else parse_prefix(rule.remote)
    if prefix and not is_loopback(prefix):
        yield from _about_prefix(prefix)
    elif prefix and key == "allow":
        yield RemarkKind.LOOPBACK, "is this host itself, which allow never covers", "use peers"
    yield from _about_ports(rule)
    yield from _about_expiry(rule, now)


def _about_prefix(prefix: Prefix) -> _Said:
    """What is true of a prefix in any rule; that of a group is told once, where the group is."""
    widest = _WIDEST_IPV4 if prefix.is_ipv4 else _WIDEST_IPV6
    if prefix.length < widest.length:
        yield RemarkKind.WIDE, f"is wider than /{str(widest).partition('/')[2]}", "name the networks that are meant"
    if around := special.around(prefix):
        yield RemarkKind.SPECIAL, f"lies in {around}", _ELSEWHERE
    elif within := special.within(prefix):
        yield RemarkKind.SPECIAL, f"includes {_list(within)}", _ELSEWHERE
    if behind := embedded_ipv4(prefix):
        problem = f"overlaps {_list(behind)}, which leads on to IPv4 addresses that no rule here judges"
        yield RemarkKind.EMBEDDED, problem, "leave it out unless no gateway of that kind can be reached"


def _about_ports(rule: Rule) -> _Said:
    if rule.any_port:
        yield RemarkKind.ANY_PORT, "is about every protocol and port", "name the ports of the service"
    elif whole := [ports for ports in rule.ports if (ports.low, ports.high) == (1, MAX_PORT)]:
        yield RemarkKind.ANY_PORT, f"is about every port ({_list(map(str, whole))})", "name the ports of the service"


def _about_expiry(rule: Rule | UnixPeer, now: float) -> _Said:
    if rule.expires is None or rule.expires > now + _NEAR_S:
        return
    expiry = format_time(rule.expires)
    if rule.expires <= now:
        yield RemarkKind.EXPIRED, f"expired at {expiry} and allows nothing", "remove it"
    else:
        yield RemarkKind.EXPIRING, f"expires at {expiry}, within {NEAR_DAYS} days", "extend it, or let it end"


def _about_each_other(where: str, rules: list[Rule], groups: dict[str, tuple[str, ...]]) -> Iterator[Remark]:
    found = redundancy(rules, groups)
    for position, rule in enumerate(rules):
        yield from _remarks(where, str(rule), _about_others(position, rules, found))


def _about_others(position: int, rules: list[Rule], found: Redundancy) -> _Said:
    """An overlap is told once, of the rule that comes later; not when one of the two is shadowed, which says more."""
    others = sorted(found.shares[position])
    if found.shadowed(position):
        names = _list(str(rules[other]) for other in others)
        yield RemarkKind.SHADOWED, f"allows nothing that others do not for as long: {names}", "remove it, or those"
    elif before := [other for other in others if other < position and not found.shadowed(other)]:
        names = _list(str(rules[other]) for other in before)
        yield RemarkKind.OVERLAP, f"overlaps {names}", "let one rule, with its reason and expiry, cover what both do"


def _list(names: Iterable[str]) -> str:
    """The first few names, and how many there are besides."""
    listed = list(names)
    rest = [f"{len(listed) - _NAMED} more"] if len(listed) > _NAMED else []
    return " and ".join([", ".join(listed[:_NAMED]), *rest])
