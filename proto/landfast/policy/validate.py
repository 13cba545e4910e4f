"""Whether every value of a policy is one that `source` could have read, in its normal form."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator

from landfast.policy.errors import Finding, InvalidError
from landfast.policy.model import MAX_CLASSES, DataClass, Policy, Rule, UnixPeer
from landfast.policy.ports import Ports, merge, parse_ports
from landfast.policy.prefixes import are_normal
from landfast.policy.remotes import parse_member, parse_remote
from landfast.policy.selectors import parse_selector
from landfast.policy.texts import parse_name, parse_socket_path, parse_text, parse_ticket
from landfast.policy.times import LAST

MAX_VERSION = (1 << 63) - 1
_Problems = Iterator[tuple[str, str, str]]  # where, problem, remedy
_Groups = dict[str, tuple[str, ...]]


def validate(policy: Policy, file: str) -> list[Finding]:
    """Everything that is wrong with a policy that was not read from text."""
    problems = (*_version(policy), *_bits(policy), *_names(policy), *_groups(policy.groups), *_classes(policy))
    return [Finding(file, 0, *problem) for problem in problems]


def _version(policy: Policy) -> _Problems:
    if not 1 <= policy.version <= MAX_VERSION:
        yield "version", f"{policy.version} is no version", "versions count from 1"


def _bits(policy: Policy) -> _Problems:
    placed = [*policy.retired.items(), *((each.name, each.bit) for each in policy.classes)]
    used = Counter(bit for _, bit in placed)
    for name, bit in placed:
        if not 0 <= bit < MAX_CLASSES or used[bit] > 1:
            yield name, f"bit {bit} is out of range or used twice", f"give it a bit of its own below {MAX_CLASSES}"


def _names(policy: Policy) -> _Problems:
    classes = [each.name for each in policy.classes]
    for where, names in (("data_classes", classes), ("groups", policy.groups), ("retired", policy.retired)):
        for name in names:
            yield from _problem(where, parse_name, name)
    yield from _unique("names of classes and groups", [*classes, *policy.groups])
    yield from _unique("names of classes, kept and retired", [*classes, *policy.retired])


def _groups(groups: _Groups) -> _Problems:
    for name, members in groups.items():
        where = f"groups.{name}"
        yield from _unique(where, members)
        if not members:
            yield where, "it has no prefixes", "a group holds at least one"
        for member in () if are_normal(members) else members:
            yield from _problem(where, _normal, member, parse_member)


def _classes(policy: Policy) -> _Problems:
    for each in policy.classes:
        yield from _class(each, policy.groups)


def _class(each: DataClass, groups: _Groups) -> _Problems:
    if each.description:
        yield from _problem(each.name, parse_text, each.description)
    yield from _unique(f"{each.name}.select", each.select)
    for selector in each.select:
        yield from _problem(f"{each.name}.select", parse_selector, selector.kind, selector.pattern)
    yield from _network(f"{each.name}.allow", each.allow, groups)
    yield from _network(f"{each.name}.serve", each.serve, groups)
    yield from _network(f"{each.name}.peers", each.peers, groups)
    yield from _unix(f"{each.name}.unix_peers", each.unix_peers)


def _network(where: str, rules: tuple[Rule, ...], groups: _Groups) -> _Problems:
    yield from _common(where, rules)
    for rule in rules:
        yield from _problem(where, _normal, rule.remote, parse_remote)
        if rule.group and rule.group not in groups:
            yield where, f"there is no group {rule.group}", "name one of the policy's groups"
        if not rule.ports or not all(map(_exists, rule.ports)) or merge(rule.ports) != rule.ports:
            yield where, f"{rule.remote} has no ports, or not in normal form", "sort them and merge what overlaps"


def _unix(where: str, rules: tuple[UnixPeer, ...]) -> _Problems:
    yield from _common(where, rules)
    for rule in rules:
        yield from _problem(where, parse_socket_path, rule.path)


def _common(where: str, rules: Iterable[Rule | UnixPeer]) -> _Problems:
    yield from _unique(where, [rule.target for rule in rules])
    for rule in rules:
        yield from _problem(where, parse_text, rule.reason)
        if rule.ticket:
            yield from _problem(where, parse_ticket, rule.ticket)
        if rule.expires is not None and not 0 < rule.expires <= LAST:
            yield where, f"{rule.expires} is no expiry", "write seconds since 1970"


def _exists(ports: Ports) -> bool:
    try:
        return parse_ports(str(ports)) == ports
    except ValueError:
        return False


def _normal(text: str, parse: Callable[[str], str]) -> None:
    if (normal := parse(text)) != text:
        raise InvalidError(f"{text} is not in normal form", f"write {normal}")


def _unique(where: str, values: Iterable[Hashable]) -> _Problems:
    for value, count in Counter(values).items():
        if count > 1:
            yield where, f"{value} stands there {count} times", "name each once"


def _problem(where: str, check: Callable[..., object], *arguments: object) -> _Problems:
    try:
        check(*arguments)
    except InvalidError as error:
        yield where, error.problem, error.remedy
