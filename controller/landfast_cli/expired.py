"""Rules that are over."""

import time
from typing import TypeVar

from msgspec.structs import replace

from landfast.policy.model import ClassDraft, Draft, Rule, UnixPeer

R = TypeVar("R", Rule, UnixPeer)


def without_expired(draft: Draft) -> Draft:
    """`draft` without the rules that have expired: they grant nothing, and may not be introduced again."""
    now = time.time()
    return replace(draft, classes=tuple(_live(each, now) for each in draft.classes))


def _live(each: ClassDraft, now: float) -> ClassDraft:
    return replace(
        each,
        allow=_unexpired(each.allow, now),
        serve=_unexpired(each.serve, now),
        peers=_unexpired(each.peers, now),
        unix_peers=_unexpired(each.unix_peers, now),
    )


def _unexpired(rules: tuple[R, ...], now: float) -> tuple[R, ...]:
    return tuple(rule for rule in rules if rule.expires is None or rule.expires > now)
