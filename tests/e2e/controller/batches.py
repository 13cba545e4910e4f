"""Batches as an agent makes them: real bytes, in a chain, with what the kernel has counted."""

import itertools

from landfast import batch, event
from landfast.audit.account import STRIDE
from landfast.v1.batch_pb2 import Batch
from landfast.verdict import Reason, Stage, Verdict
from tests.testbed.event_keys import signer

_BOOT_ID = "5a1b7c9e-0f43-4a57-9d0e-3f1f6f3b2a11"


class Chain:
    """The batches of one host, signed by the key that it enrols with."""

    def __init__(self, host: str, first: int = 1, previous: bytes = b"") -> None:
        self.host = host
        self.key = signer(host)
        self.next = first
        self.previous = previous
        self.begins = 0
        self._cookies = itertools.count(1)
        self._position = 0

    def batch(self, events: int = 5, verdict: Verdict = Verdict.DENY, data_class: str = "eea-user-data") -> bytes:
        """The next batch, sealed."""
        body = Batch(
            host=self.host,
            boot_id=_BOOT_ID,
            first_sequence=self.next,
            record_size=event.SIZE,
            counters=bytes(batch.COUNTERS),
            ring_position=self._read(events),
            records=b"".join(self._record(verdict) for _ in range(events)),
            classes={3: data_class},
            begins=self.begins,
        )
        data = batch.seal(batch.encode(body), self.previous, self.key)
        self.next, self.previous = self.next + events, batch.digest(data)
        return data

    def _read(self, events: int) -> int:
        """How far the ring is read when these are, too."""
        self._position += events * STRIDE
        return self._position

    def batches(self, number: int, events: int = 5) -> list[bytes]:
        return [self.batch(events) for _ in range(number)]

    def _record(self, verdict: Verdict) -> bytes:
        reason = Reason.RULE if verdict == Verdict.ALLOW else Reason.NO_RULE
        remote = bytes(10) + b"\xff\xff" + bytes((203, 0, 113, 9))
        return event.pack(
            tags=1 << 3,
            cookie=next(self._cookies),
            verdict=verdict,
            reason=reason,
            stage=Stage.CONNECT,
            protocol=6,
            family=2,
            type=1,
            tgid=4711,
            remote=remote,
            remote_port=443,
            comm=b"curl",
            version=1,
        )
