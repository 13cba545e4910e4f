"""Which hosts are connected now, and how they are. Kept in memory only: a restart asks everybody anew."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from landfast.v1.agent_pb2 import Health, PolicyState
from landfast_controller.rollout.denials import WINDOW_S, Sample, sample_of

#: Samples of a host's counters in memory: agents tell them every five seconds.
_SAMPLES = WINDOW_S // 5


@dataclass
class Seat:
    """One host's presence. A host may hold two streams for a while, when the old one has not been noticed dead.

    `received` is the policy that it has said to have received, until it says what became of it.
    """

    streams: int = 0
    since_ns: int = field(default_factory=time.time_ns)
    last_seen_ns: int = 0
    health: Health = field(default_factory=Health)
    received: PolicyState | None = None
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def seen(self) -> None:
        self.last_seen_ns = time.time_ns()

    def told(self, health: Health) -> None:
        """Keeps a sign of life, and what its counters were."""
        self.health = health
        if sample := sample_of(health, time.time_ns()):
            self.samples.append(sample)


class Presence:
    """The hosts that hold a Sync stream."""

    def __init__(self) -> None:
        self._seats: dict[str, Seat] = {}

    def of(self, host: str) -> Seat | None:
        return self._seats.get(host)

    def seats(self) -> dict[str, Seat]:
        """All hosts that are connected, as they are now."""
        return {host: replace(seat) for host, seat in self._seats.items()}

    @contextmanager
    def connected(self, host: str) -> Iterator[Seat]:
        """Holds a seat for `host` while the body runs."""
        seat = self._seats.setdefault(host, Seat())
        seat.streams += 1
        seat.seen()
        try:
            yield seat
        finally:
            seat.streams -= 1
            if not seat.streams:
                del self._seats[host]
