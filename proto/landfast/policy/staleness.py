"""What is left of a policy when nobody has said for too long that it is the newest."""

from typing import TypeVar

from msgspec.structs import replace

from landfast.policy.model import DataClass, Loopback, Policy, Rule, StalePolicy, UnixPeer

_Rule = TypeVar("_Rule", Rule, UnixPeer)
_LONG_AGO = 1  # 1970


def when_stale(policy: Policy) -> Policy:
    """The same policy, in which classes with `on_stale_policy: deny-all` are denied everything.

    Their rules stay, but have expired, so that rules keep their numbers and a refusal names the one that it lacks.
    """
    return replace(policy, classes=tuple(_denied(each) for each in policy.classes))


def _denied(each: DataClass) -> DataClass:
    if each.on_stale_policy != StalePolicy.DENY_ALL:
        return each
    return replace(
        each,
        loopback=Loopback.DENY,
        allow=_expired(each.allow),
        serve=_expired(each.serve),
        peers=_expired(each.peers),
        unix_peers=_expired(each.unix_peers),
    )


def _expired(rules: tuple[_Rule, ...]) -> tuple[_Rule, ...]:
    return tuple(replace(rule, expires=_LONG_AGO) for rule in rules)
