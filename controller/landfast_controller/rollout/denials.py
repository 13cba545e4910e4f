"""Denials on a host before and after it was given a version, from the kernel's counters in its signs of life."""

from collections.abc import Sequence
from dataclasses import dataclass

from landfast.v1.agent_pb2 import Health

_STAGES, _PER_STAGE = 9, 8  # LF_STAGES, LF_COUNTERS of bpf/landfast.h
_DENY, _WOULD_DENY, _CANARY = 2, 3, 7  # enum lf_counter
_NS = 1e9

#: How far back counters are looked at, before a version and after.
WINDOW_S = 300


@dataclass(frozen=True)
class Sample:
    """Counters of one host at a time: verdicts since its maps were made. The canary's own are left out."""

    at_ns: int
    denied: int
    would_deny: int


@dataclass(frozen=True)
class Reference:
    """What a host is compared with: its counters when it was given a version, and how fast they rose before."""

    sample: Sample
    denied_rate: float  # a second
    would_deny_rate: float


@dataclass(frozen=True)
class Denials:
    """Those of one kind since then. `before` is their rate, a second, until then."""

    kind: str
    number: int
    seconds: float
    before: float

    def have_jumped(self, factor: float, floor: int) -> bool:
        """Whether there are more by `floor` than `factor` times as many as could be expected."""
        return self.number > floor + factor * self.before * self.seconds

    def __str__(self) -> str:
        return f"{self.number} {self.kind} in {self.seconds:.0f} s, {self.before:.2f} a second before"


def sample_of(health: Health, at_ns: int) -> Sample | None:
    """None when the host tells no counters."""
    if len(health.counters) < _STAGES * _PER_STAGE:
        return None
    rows = health.counters[: _STAGES * _PER_STAGE]
    deny, would_deny, canary = (sum(rows[at::_PER_STAGE]) for at in (_DENY, _WOULD_DENY, _CANARY))
    return Sample(at_ns, max(deny - canary, 0), would_deny)


def reference_of(samples: Sequence[Sample]) -> Reference | None:
    """The newest sample, with the rates since the oldest; None without any. Of one sample the rates are 0."""
    if not samples:
        return None
    first, last = samples[0], samples[-1]
    seconds = max((last.at_ns - first.at_ns) / _NS, 1.0)
    denied, would_deny = _risen(first.denied, last.denied), _risen(first.would_deny, last.would_deny)
    return Reference(last, denied / seconds, would_deny / seconds)


def since(reference: Reference, samples: Sequence[Sample]) -> tuple[Denials, ...]:
    """Denials and would-be denials from the reference to the newest sample, or of the last minutes if that is longer.

    (A rollout may wait for days, and a rare denial is no jump however long one waits.)
    """
    now, then = samples[-1], reference.sample
    if now.at_ns - then.at_ns > WINDOW_S * _NS and samples[0].at_ns > then.at_ns:
        then = samples[0]
    seconds = max((now.at_ns - then.at_ns) / _NS, 0.0)
    return (
        Denials("denials", _risen(then.denied, now.denied), seconds, reference.denied_rate),
        Denials("would-be denials", _risen(then.would_deny, now.would_deny), seconds, reference.would_deny_rate),
    )


def _risen(then: int, now: int) -> int:
    """Counters begin at 0 again when a host starts anew."""
    return now - then if now >= then else now
