"""What a busy host pushes: batches as agents make them, in a chain."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from landfast import batch, event
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.batch_pb2 import Batch, Process, RuleName
from landfast.verdict import Protocol, Reason, Stage, Verdict
from tests.testbed.event_keys import signer

#: One event in so many is a refusal.
_REFUSED = 20

_PROCESSES = 40
_BOOT_ID = "5a1b7c9e-0f43-4a57-9d0e-3f1f6f3b2a11"
_TAG = 3  # bit of the data class
_RULE = RuleName(version=7, rule=1, text="eea-user-data allow 10.20.0.0/16 tcp/443: replication to the second hall")


@dataclass(frozen=True)
class Pushes:
    """Serialized PushRequests, ready to be sent, and by which acknowledgement all of them are answered."""

    messages: list[bytes]
    last: int


class Chain:
    """The batches of one host."""

    def __init__(self, host: str) -> None:
        self.host, self._key = host, signer(host)
        self._next, self._previous = 1, b""
        self._records = _records(random.Random(host))

    def pushes(self, count: int, events: int = batch.MAX_RECORDS) -> Pushes:
        """The next `count` batches of so many events each."""
        messages = [PushRequest(batch=self._batch(events)).SerializeToString() for _ in range(count)]
        return Pushes(messages, self.last)

    @property
    def last(self) -> int:
        """Sequence number of the newest event."""
        return self._next - 1

    def _batch(self, events: int) -> bytes:
        message = Batch(
            host=self.host,
            boot_id=_BOOT_ID,
            first_sequence=self._next,
            record_size=event.SIZE,
            records=b"".join(self._records[:events]),
            processes=[_process(number) for number in range(min(events, _PROCESSES))],
            classes={_TAG: "eea-user-data"},
            rules=[_RULE],
        )
        data = batch.seal(batch.encode(message), self._previous, self._key)
        self._next, self._previous = self._next + events, batch.digest(data)
        return data


def _process(number: int) -> Process:
    unit = f"feed-ingest@{number}.service"
    return Process(
        tgid=4000 + number,
        image=number + 1,
        parent=1,
        comm="ingest",
        executable="/opt/ingest/bin/ingest",
        uid=998,
        user="ingest",
        cgroup=f"/feed.slice/{unit}",
        unit=unit,
    )


def _records(chance: random.Random) -> Sequence[bytes]:
    return [_record(number, chance) for number in range(batch.MAX_RECORDS)]


def _record(number: int, chance: random.Random) -> bytes:
    is_refused = number % _REFUSED == 0
    return event.pack(
        time_ns=chance.getrandbits(50),
        tags=1 << _TAG,
        missing=is_refused << _TAG,
        cookie=chance.getrandbits(32),
        cgroup_id=chance.getrandbits(20),
        image=number % _PROCESSES + 1,
        version=_RULE.version,
        tgid=4000 + number % _PROCESSES,
        tid=4000 + number % _PROCESSES,
        uid=998,
        rule=0 if is_refused else _RULE.rule,
        stage=Stage.CONNECT,
        verdict=Verdict.DENY if is_refused else Verdict.ALLOW,
        reason=Reason.NO_RULE if is_refused else Reason.RULE,
        protocol=Protocol.TCP,
        family=2,
        type=1,
        remote_port=443,
        comm=b"ingest",
        remote=bytes(10) + b"\xff\xff" + bytes((203, 0, 113, 9) if is_refused else (10, 20, *chance.randbytes(2))),
    )
