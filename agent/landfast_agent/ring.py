"""The kernel's ring buffer, read in batches through mmap and numpy.

Layout (https://docs.kernel.org/bpf/ringbuf.html): a page with the consumer's position, writable; a page with the
producer's position, and the data, mapped twice in a row so that every record is contiguous, both read-only. A record
is a 32-bit length with two flag bits, a 32-bit page offset, and the payload, padded to 8 bytes. Positions are 64-bit
byte counts since the ring was made and never wrap.

The producer publishes a record by clearing BUSY in its header, and its position by a release store; we read them in
the opposite order. Plain aligned 8- and 4-byte loads and stores keep that order on x86-64, whose memory model is
total store order, and Python adds none in between that the CPU could move.
"""

import mmap
import os
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landfast import event
from landfast_agent import libbpf
from landfast_agent.errors import Unavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BUSY, _DISCARD = 1 << 31, 1 << 30
_HEADER = 8
_STRIDE = _HEADER + event.SIZE
_WORDS = _STRIDE // 4  # 32-bit words of a record with its header


@dataclass(frozen=True)
class Reading:
    """What one read found. `position` is to be released once `records` are safe."""

    records: bytes
    position: int
    strange: int = 0  # records of another size than ours, left out

    @property
    def count(self) -> int:
        return len(self.records) // event.SIZE


class Ring:
    """One reader of a BPF_MAP_TYPE_RINGBUF. Not to be used from several threads, except `wake`."""

    def __init__(self, fd: int) -> None:
        """Maps the ring; takes over the descriptor."""
        info = libbpf.map_info(fd)
        self.map_id, self.size, self._fd = info.id, info.max_entries, fd
        page = mmap.PAGESIZE
        self._consumer = mmap.mmap(fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(fd, page + 2 * self.size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        self._released = np.frombuffer(self._consumer, np.uint64, 1)
        self._produced = np.frombuffer(self._producer, np.uint64, 1)
        self._words = np.frombuffer(self._producer, np.uint32, offset=page)
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(fd, select.EPOLLIN)
        self._poll.register(self._waker, select.EPOLLIN)

    @property
    def position(self) -> int:
        """Everything before this byte has been released."""
        return int(self._released[0])

    @property
    def end(self) -> int:
        """Everything from here on is free."""
        return int(self._produced[0])

    @property
    def waiting(self) -> int:
        """About how many records wait to be read."""
        return (self.end - self.position) // _STRIDE

    def read(self, limit: int) -> Reading:
        """The next records, at most `limit`; the same ones again until they are released."""
        begin, end = self.position, self.end
        first = begin % self.size // 4
        return _scan(self._words[first : first + (end - begin) // 4], begin, limit)

    def release(self, position: int) -> None:
        """Gives the kernel back everything before `position`."""
        self._released[0] = position

    def wait(self, timeout: float) -> None:
        """Blocks until records wait, `wake` is called, or `timeout` seconds have passed."""
        for fd, _ in self._poll.poll(timeout):
            if fd == self._waker:
                os.eventfd_read(self._waker)

    def wake(self) -> None:
        """Ends `wait`. For any thread."""
        os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        del self._released, self._produced, self._words
        self._consumer.close()
        self._producer.close()
        self._poll.close()
        os.close(self._waker)
        os.close(self._fd)


def _scan(words: "NDArray[np.uint32]", position: int, limit: int) -> Reading:
    """Takes records from `words`, which begin at `position`, up to the first that is still being written."""
    parts: list[bytes] = []
    at = taken = strange = 0
    while at < len(words) and taken < limit:
        rows = _run(words[at:], limit - taken)
        parts.append(rows[:, _HEADER // 4 :].tobytes())
        at, taken = at + rows.size, taken + len(rows)
        if at == len(words) or taken == limit or words[at] & _BUSY:
            break
        if words[at] != event.SIZE:
            strange += not words[at] & _DISCARD
            at += _odd_size(words, at, position)
    return Reading(b"".join(parts), position + at * 4, strange)


def _run(words: "NDArray[np.uint32]", limit: int) -> "NDArray[np.uint32]":
    """The complete records of our size at the beginning of `words`, one per row with its header."""
    rows = words[: min(len(words) // _WORDS, limit) * _WORDS].reshape(-1, _WORDS)
    odd = np.flatnonzero(rows[:, 0] != event.SIZE)
    return rows[: odd[0]] if odd.size else rows


def _odd_size(words: "NDArray[np.uint32]", at: int, position: int) -> int:
    """Size in words of a record that was discarded, or that is not of our size."""
    length = int(words[at]) & ~(_BUSY | _DISCARD)
    size = (_HEADER + length + 7) // 8 * 2
    if at + size > len(words):
        raise Unavailable(
            f"the ring buffer is not readable: a record of {length} bytes at position {position + at * 4} goes beyond "
            "what was written; another version's programs are loaded: run `landfast-agent unload`, then start again"
        )
    return size
