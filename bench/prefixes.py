"""Allowlists for the comparison: deterministic, disjoint, the same ones for Landfast and its rivals."""

import random
from collections.abc import Sequence
from ipaddress import IPv4Network

from landfast.policy.model import ClassDraft, Draft, ForbiddenCalls, Loopback, Mode, Policy, Rule, StalePolicy
from landfast.policy.ports import Ports
from landfast.policy.succession import succeed
from landfast.verdict import Protocol

#: Ports that every prefix is allowed for, by TCP and UDP.
PORTS = (7000, 7003)

#: The data class that the measured processes carry.
DATA_CLASS = "bench"

_FIRST, _LAST = 20 << 16, 220 << 16  # /24 networks from 20.0.0.0 to 219.255.255.0
_LENGTHS = range(24, 29)


def allowlist(count: int, seed: int, *included: str) -> tuple[str, ...]:
    """`count` prefixes of 24 to 28 bits in distinct /24 networks, `included` among them."""
    chance = random.Random(seed)
    networks = chance.sample(range(_FIRST, _LAST), count - len(included))
    return (*included, *(str(IPv4Network((each << 8, chance.choice(_LENGTHS)))) for each in networks))


def policy(prefixes: Sequence[str], previous: Policy | None = None) -> Policy:
    """The policy that allows one data class these prefixes, as the version after `previous`."""
    rule = Rule("group:allowed", tuple(Ports(each, *PORTS) for each in (Protocol.TCP, Protocol.UDP)), "benchmark")
    data_class = ClassDraft(
        name=DATA_CLASS,
        mode=Mode.ENFORCE,
        loopback=Loopback.SAME_CLASS,
        forbidden_calls=ForbiddenCalls.KILL,
        on_stale_policy=StalePolicy.HOLD,
        select=(),
        allow=(rule,),
        serve=(),
        peers=(),
        unix_peers=(),
    )
    return succeed(Draft((data_class,), {"allowed": tuple(prefixes)}), previous)
