"""Batches: how the events of a host are put into bytes, once, and read back by whoever holds those bytes.

A batch is a serialized `landfast.v1.Batch`. Its last fields are the hash of the batch before it and the host's
signature, so that `encode` gives a body which can wait for its place in the chain, and `seal` closes it by appending.
"""

import hashlib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from landfast import event, event_key
from landfast.event import Event
from landfast.event_key import SIGNATURE_SIZE
from landfast.v1.batch_pb2 import Batch, Listener, Notice, NoticeKind, Process
from landfast.verdict import Reason, Stage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: A batch is an entry of the log, whose format allows 65,535 bytes; the rest is for what the log adds.
MAX_BYTES = 60_000

#: Records that one batch takes, about 51,000 bytes.
MAX_RECORDS = 400

#: Kernel counters of a batch: LF_COUNTER_SLOTS of bpf/landfast.h.
COUNTERS = 80

_DIGEST_SIZE = hashlib.sha256().digest_size
_PREVIOUS = Batch(previous=bytes(_DIGEST_SIZE)).SerializeToString()[:-_DIGEST_SIZE]  # tag and length
_SIGNATURE = Batch(signature=bytes(SIGNATURE_SIZE)).SerializeToString()[:-SIGNATURE_SIZE]
_SIGNED_BY = len(_SIGNATURE) + SIGNATURE_SIZE  # bytes at the end of a sealed batch
_MAX_BODY = MAX_BYTES - len(_PREVIOUS) - _DIGEST_SIZE - _SIGNED_BY
_BOOT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_SEQUENCE = 2**63 - 1  # what SQLite and a signed protobuf integer can hold


class BatchError(ValueError):
    """Bytes that are no batch, or a batch in the wrong place: which host and sequence, and what was expected."""


class ChainError(BatchError):
    """A batch that does not follow the one before it."""


def encode(batch: Batch) -> bytes:
    """The bytes of a batch without what `seal` adds. Raises BatchError when that makes more than `MAX_BYTES`."""
    body = batch.SerializeToString(deterministic=True)
    if len(body) > _MAX_BODY:
        raise BatchError(f"{_name(batch)} has {len(body)} bytes, the limit is {_MAX_BODY}: split it")
    return body


def seal(body: bytes, previous: bytes, key: "Ed25519PrivateKey") -> bytes:
    """Closes a batch that was encoded: names the hash of the one before, if there is one, and signs."""
    placed = body + _PREVIOUS + previous if previous else body
    return placed + _SIGNATURE + event_key.sign(key, event_key.BATCH, placed)


def digest(data: bytes) -> bytes:
    """SHA-256 of a batch's bytes: its identity, and what the next batch names as `previous`."""
    return hashlib.sha256(data).digest()


class Sealed:
    """The bytes of a batch, hashed in one pass: `digest` is what the function of that name gives."""

    def __init__(self, data: bytes) -> None:
        end = memoryview(data)[-_SIGNED_BY:]
        hashed = hashlib.sha256(memoryview(data)[:-_SIGNED_BY])
        self._signed = hashed.digest()
        hashed.update(end)
        self.digest = hashed.digest()
        self._tag, self._signature = bytes(end[:-SIGNATURE_SIZE]), bytes(end[-SIGNATURE_SIZE:])

    def is_signed_by(self, public: bytes) -> bool:
        """Whether the bytes end with the signature of the host that has this event key."""
        return self._tag == _SIGNATURE and event_key.has_signed_hash(
            public, event_key.BATCH, self._signed, self._signature
        )


def size(batch: Batch) -> int:
    """How many sequence numbers a batch accounts for."""
    return len(batch.records) // event.SIZE + len(batch.notices) + batch.folded.allowed + batch.folded.other


def is_signed_by(public: bytes, data: bytes) -> bool:
    """Whether the bytes of a batch end with the signature of the host that has this event key."""
    return Sealed(data).is_signed_by(public)


class BatchView:
    """A decoded batch. Iterating gives (sequence number, Event or Notice) in order.

    What others look up in it is made when they do: who only stores batches does not pay for it.
    """

    def __init__(self, message: Batch) -> None:
        self.message = message

    @cached_property
    def _processes(self) -> Mapping[tuple[int, int], Process]:
        return {(each.tgid, each.image): each for each in self.message.processes}

    @cached_property
    def _listeners(self) -> Mapping[tuple[int, bytes, int, int], Listener]:
        return {refusal(each): each for each in self.message.listeners}

    @cached_property
    def _rules(self) -> Mapping[tuple[int, int], str]:
        return {(each.version, each.rule): each.text for each in self.message.rules}

    @property
    def host(self) -> str:
        return self.message.host

    @property
    def first(self) -> int:
        """Sequence number of the first event."""
        return self.message.first_sequence

    @cached_property
    def last(self) -> int:
        """Sequence number of the last event."""
        return self.first + size(self.message) - 1

    @property
    def previous(self) -> bytes:
        """Hash of the host's batch before this one; empty for its first."""
        return self.message.previous

    def __iter__(self) -> Iterator[tuple[int, Event | Notice]]:
        records = self._numbered(0, event.read_all(self.message.records))
        notices = self._numbered(len(self.message.records) // event.SIZE, self.message.notices)
        yield from heapq.merge(records, notices, key=lambda pair: pair[0])

    def _numbered(self, start: int, items: Iterable[Event | Notice]) -> Iterator[tuple[int, Event | Notice]]:
        return ((self.first + offset, item) for offset, item in zip(self._offsets(start), items, strict=False))

    def _offsets(self, start: int) -> Iterator[int]:
        folded = self.message.folded
        return iter(folded.offsets[start:]) if self.message.HasField("folded") else count(start)

    def unix_ns(self, item: Event | Notice) -> int:
        """When it happened, CLOCK_REALTIME in nanoseconds."""
        return item.time_ns if isinstance(item, Notice) else item.time_ns + self.message.clock_offset_ns

    def process(self, item: Event) -> Process | None:
        """The execution that made the event; None when nothing is known of it."""
        return self._processes.get((item.tgid, item.image))

    def command(self, item: Event) -> str:
        """Name of the command that made the event; empty when nobody knows."""
        process = None if item.comm else self.process(item)
        return event.printable(process.comm) if process else item.comm

    def is_canary(self, item: Event | Notice) -> bool:
        """Whether the agent's own canary made the event: a proof that refusals happen, not somebody's attempt."""
        process = self.process(item) if isinstance(item, Event) else None
        return process is not None and process.canary

    def is_heartbeat(self, item: Event | Notice) -> bool:
        """Whether it says only that the host was there."""
        return isinstance(item, Notice) and item.kind == NoticeKind.NOTICE_KIND_HEARTBEAT

    def rule(self, item: Event) -> str:
        """Text of the rule that decided; empty when there is none, or more than one."""
        return self._rules.get((item.version, item.rule), "")

    def listener(self, item: Event) -> Listener | None:
        """Who listened where this was refused; None when that is not the reason, or nobody found out in time."""
        return self._listeners.get(refusal_of(item)) if item.reason == Reason.UNTAGGED_PEER else None

    def unix_name(self, item: Event) -> str:
        """The unix socket that was connected or sent to, `@name` for an abstract one; empty when there is none."""
        return self.message.unix_names.get(item.detail, "") if item.stage == Stage.UNIX else ""

    def classes(self, mask: int) -> list[str]:
        """Names of the classes in a mask, `#BIT` for one whose name the batch does not tell."""
        return [self.message.classes.get(bit, f"#{bit}") for bit in range(64) if mask >> bit & 1]


def decode(data: bytes) -> BatchView:
    """Reads and checks a batch. Raises BatchError naming what is wrong with it."""
    if len(data) > MAX_BYTES:
        raise BatchError(f"a batch of {len(data)} bytes: the limit is {MAX_BYTES}")
    try:
        message = Batch.FromString(data)
    except DecodeError as error:
        raise BatchError(f"{len(data)} bytes that are not a serialized batch: {error}") from None
    for problem in _problems(message):
        raise BatchError(f"{_name(message)}: {problem}")
    return BatchView(message)


def check_follows(view: BatchView, last: int, previous: bytes) -> None:
    """Raises ChainError unless `view` comes right after the batch that ended at `last` and has the hash `previous`."""
    if view.first != last + 1:
        raise ChainError(f"{_name(view.message)}: expected sequence {last + 1}, got {view.first}")
    if view.previous != previous:
        expected, got = previous.hex() or "none", view.previous.hex() or "none"
        raise ChainError(f"{_name(view.message)}: expected previous hash {expected}, got {got}")


def refusal(listener: Listener) -> tuple[int, bytes, int, int]:
    """Which refusals a listener explains: sender, address, port and protocol."""
    return listener.sender, listener.remote, listener.port, listener.protocol


def refusal_of(item: Event) -> tuple[int, bytes, int, int]:
    """What `refusal` gives for the listener of an event."""
    return item.tgid, event.packed(item.remote) if item.remote else b"", item.remote_port, item.protocol


def _name(batch: Batch) -> str:
    return f"batch of host {event.printable(batch.host)!r} from sequence {batch.first_sequence}"


def _problems(batch: Batch) -> Iterator[str]:
    """What makes a batch unusable; later checks rely on the earlier ones."""
    records, events = len(batch.records), size(batch)  # each look at the records copies them
    if not 1 <= len(batch.host) <= 253:
        yield f"the host name has {len(batch.host)} characters, expected 1 to 253"
    if not _BOOT_ID.fullmatch(batch.boot_id):
        yield "boot_id is not a UUID as /proc/sys/kernel/random/boot_id gives it"
    if batch.record_size != event.SIZE:
        yield f"records of {batch.record_size} bytes, expected {event.SIZE}: this side and the agent differ in version"
    if records % event.SIZE:
        yield f"{records} bytes of records are not a multiple of {event.SIZE}"
    if len(batch.counters) not in (0, COUNTERS):
        yield f"{len(batch.counters)} counters, expected {COUNTERS} or none"
    if len(batch.previous) not in (0, _DIGEST_SIZE):
        yield f"the previous hash has {len(batch.previous)} bytes, expected {_DIGEST_SIZE}"
    if len(batch.signature) not in (0, SIGNATURE_SIZE):
        yield f"the signature has {len(batch.signature)} bytes, expected {SIGNATURE_SIZE}"
    if not events:
        yield "it accounts for no event"
    if not 1 <= batch.first_sequence <= _MAX_SEQUENCE - events:
        yield f"the first sequence number is out of range: expected 1 to {_MAX_SEQUENCE - events}"
    if batch.HasField("folded"):
        yield from _folding_problems(batch)


def _folding_problems(batch: Batch) -> Iterator[str]:
    records, offsets = len(batch.records) // event.SIZE, batch.folded.offsets
    if len(offsets) != records + len(batch.notices):
        yield f"{len(offsets)} offsets for {records} records and {len(batch.notices)} notices"
    if len(set(offsets)) != len(offsets) or any(offset >= size(batch) for offset in offsets):
        yield "offsets that are repeated or beyond the batch's last sequence number"
    if list(offsets[:records]) != sorted(offsets[:records]) or list(offsets[records:]) != sorted(offsets[records:]):
        yield "offsets that are not in order"
