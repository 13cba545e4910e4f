"""The naive evaluator: what a policy means, straight from its rules. The compiled tables are held against this."""

from collections.abc import Iterator

from msgspec import Struct

from landfast.policy.addresses import Prefix, address_number, parse_prefix
from landfast.policy.model import DataClass, Loopback, Mode, Policy, Rule, UnixPeer
from landfast.policy.numbering import RuleKind, numbered
from landfast.verdict import Reason, Verdict


class Question(Struct, frozen=True):
    """May a process or socket with `tags` send to `remote`, or talk over the unix socket `unix`?

    `remote` is an address in text or bytes, empty for a unix socket, whose name is written as in policy. `serving`: it
    answers a connection that its listener accepted, or a UDP peer that it heard from. `local`: `remote` is an address
    of this host, or there is a unix socket. `peer_tags`: tags of the local socket that would receive, None when nobody
    listens. `now` is in seconds since 1970.
    """

    tags: int
    remote: str | bytes
    protocol: int
    remote_port: int = 0
    local_port: int = 0
    serving: bool = False
    local: bool = False
    peer_tags: int | None = None
    now: float = 0.0
    unix: str = ""


class Decision(Struct, frozen=True):
    """`missing` is the mask of classes that nothing allows, `rules` are the numbers of rules that allow the rest."""

    verdict: Verdict
    reason: Reason
    missing: int = 0
    rules: tuple[int, ...] = ()


class _Way(Struct, frozen=True):
    """One way in which a class is allowed; rule 0 when it is not by a rule."""

    reason: Reason
    rule: int = 0


def evaluate(policy: Policy, question: Question) -> Decision:
    """The decision by definition: every class of the tags must be allowed on its own."""
    ways = {bit: _ways(policy, question, bit) for bit in _bits(question.tags)}
    missing = sum(1 << bit for bit, found in ways.items() if not found)
    if missing:
        return Decision(_refusal(policy, missing), _why_not(policy, question, missing), missing)
    reason = ways[min(ways)][0].reason if ways else Reason.NONE
    rules = {way.rule for found in ways.values() for way in found if way.rule}
    return Decision(Verdict.ALLOW, reason, 0, tuple(sorted(rules)))


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _class_of(policy: Policy, bit: int) -> DataClass | None:
    return next((each for each in policy.classes if each.bit == bit), None)


def _ways(policy: Policy, question: Question, bit: int) -> list[_Way]:
    """Every way in which the class is allowed, the one that gives the reason first."""
    owner = _class_of(policy, bit)
    if not owner:
        return []
    rules = [way for way, rule in _covering(policy, question, owner) if not _expired(rule, question)]
    if not question.local:
        return rules
    always = [_Way(Reason.LOOPBACK)] if owner.loopback == Loopback.ALLOW else []
    return always + rules + ([_Way(Reason.SAME_CLASS)] if _same_class(owner, question) else [])


def _same_class(owner: DataClass, question: Question) -> bool:
    if owner.loopback == Loopback.DENY or question.peer_tags is None:
        return False
    return question.tags & ~question.peer_tags == 0


def _covering(policy: Policy, question: Question, owner: DataClass) -> Iterator[tuple[_Way, Rule | UnixPeer]]:
    """Rules of the class that cover the question, expired or not."""
    if question.unix:
        yield from _naming(policy, question.unix, owner)
    else:
        yield from _covering_address(policy, question, owner)


def _naming(policy: Policy, name: str, owner: DataClass) -> Iterator[tuple[_Way, UnixPeer]]:
    for each in numbered(policy):
        if each.owner is owner and isinstance(each.rule, UnixPeer) and each.rule.path == name:
            yield _Way(Reason.PEER, each.number), each.rule


def _covering_address(policy: Policy, question: Question, owner: DataClass) -> Iterator[tuple[_Way, Rule]]:
    """By the remote port first, then by the local one."""
    outward, reason = (RuleKind.PEERS, Reason.PEER) if question.local else (RuleKind.ALLOW, Reason.RULE)
    for number, rule in _network_rules(policy, owner, outward):
        if _matches(policy, question, rule, question.remote_port):
            yield _Way(reason, number), rule
    for number, rule in _network_rules(policy, owner, RuleKind.SERVE):
        if question.serving and _matches(policy, question, rule, question.local_port):
            yield _Way(Reason.SERVE, number), rule


def _matches(policy: Policy, question: Question, rule: Rule, port: int) -> bool:
    address = address_number(question.remote)
    in_prefix = any(prefix.covers(address) for prefix in _prefixes(policy, rule))
    return in_prefix and any(ports.covers(question.protocol, port) for ports in rule.ports)


def _network_rules(policy: Policy, owner: DataClass, kind: RuleKind) -> Iterator[tuple[int, Rule]]:
    for each in numbered(policy):
        if each.owner is owner and each.kind == kind and isinstance(each.rule, Rule):
            yield each.number, each.rule


def _prefixes(policy: Policy, rule: Rule) -> list[Prefix]:
    texts = policy.groups[rule.group] if rule.group else (rule.remote,)
    return [parse_prefix(text) for text in texts]


def _expired(rule: Rule | UnixPeer, question: Question) -> bool:
    return rule.expires is not None and rule.expires <= question.now


def _refusal(policy: Policy, missing: int) -> Verdict:
    audited = sum(each.mask for each in policy.classes if each.mode == Mode.AUDIT)
    return Verdict.DENY if missing & ~audited else Verdict.WOULD_DENY


def _why_not(policy: Policy, question: Question, missing: int) -> Reason:
    if any(not _class_of(policy, bit) for bit in _bits(missing)):
        return Reason.UNKNOWN_CLASS
    lowest = _class_of(policy, _bits(missing)[0])
    if lowest and any(_covering(policy, question, lowest)):
        return Reason.EXPIRED
    return Reason.UNTAGGED_PEER if question.local else Reason.NO_RULE
