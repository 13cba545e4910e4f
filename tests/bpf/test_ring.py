import os
import threading
import time

import numpy as np
import pytest

from landfast import event
from landfast_agent.errors import Unavailable
from landfast_agent.ring import Ring, _scan
from tests.bpf.ring_writer import numbered, ring_and_writer


def cookies(records):
    return [item.cookie for item in event.read_all(records)]


def test_records_arrive_as_they_were_written_and_again_until_released():
    with ring_and_writer() as (ring, writer):
        for number in range(23):
            writer.write(numbered(number))
        reading = ring.read(1000)
        assert cookies(reading.records) == list(range(23))
        assert ring.read(1000) == reading
        assert ring.waiting == 23
        ring.release(reading.position)
        assert ring.waiting == 0
        assert ring.read(1000).records == b""


def test_a_limit_splits_what_waits():
    with ring_and_writer() as (ring, writer):
        for number in range(23):
            writer.write(numbered(number))
        seen = []
        while reading := ring.read(5).records:
            assert len(reading) <= 5 * event.SIZE
            seen += cookies(reading)
            ring.release(ring.read(5).position)
        assert seen == list(range(23))


def test_the_ring_may_be_gone_around_often():
    with ring_and_writer(1 << 12) as (ring, writer):
        seen = []
        for number in range(1009):
            writer.write(numbered(number))
            if number % 7 == 0:
                reading = ring.read(100)
                seen += cookies(reading.records)
                ring.release(reading.position)
        seen += cookies(ring.read(100).records)
        assert seen == list(range(1009))


def test_a_full_ring_takes_no_more_and_loses_nothing_that_it_took():
    with ring_and_writer(1 << 12) as (ring, writer):
        writer.write(numbered(7), repeat=1000)
        reading = ring.read(10_000)
        assert reading.count == 4096 // (8 + event.SIZE)
        assert set(cookies(reading.records)) == {7}
        ring.release(reading.position)
        writer.write(numbered(8))
        assert cookies(ring.read(10).records) == [8]


def test_discarded_and_strange_records_are_stepped_over():
    with ring_and_writer() as (ring, writer):
        writer.write(numbered(1))
        writer.discard(128)
        writer.write(numbered(2))
        writer.write(bytes(40))
        writer.discard(16)
        writer.write(bytes(201))
        writer.write(numbered(3))
        reading = ring.read(100)
        assert cookies(reading.records) == [1, 2, 3]
        assert reading.strange == 2
        ring.release(reading.position)
        assert ring.position == ring.end


def test_a_limit_that_ends_before_a_strange_record():
    with ring_and_writer() as (ring, writer):
        writer.write(numbered(1))
        writer.write(bytes(40))
        writer.write(numbered(2))
        first = ring.read(1)
        assert cookies(first.records) == [1]
        ring.release(first.position)
        assert cookies(ring.read(1).records) == [2]


def words(*records):
    """The memory of a ring: (header, payload) of each record."""
    return np.frombuffer(b"".join(header.to_bytes(8, "little") + payload for header, payload in records), np.uint32)


BUSY, DISCARD = 1 << 31, 1 << 30


def test_reading_stops_at_a_record_that_is_still_being_written():
    memory = words((128, numbered(1)), (128 | BUSY, bytes(128)), (128, numbered(3)))
    reading = _scan(memory, 1000, 100)
    assert cookies(reading.records) == [1]
    assert reading.position == 1136
    assert _scan(memory[34:], 1136, 100).position == 1136


def test_a_record_that_reaches_beyond_what_was_written_is_an_error():
    with pytest.raises(Unavailable, match="position 1136"):
        _scan(words((128, numbered(1)), (4000, bytes(128))), 1000, 100)


def test_waiting_ends_when_a_record_comes():
    with ring_and_writer() as (ring, writer):
        writer.write(numbered(0))
        ring.release(ring.read(1).position)
        threading.Timer(0.05, lambda: writer.write(numbered(1), flags=2)).start()
        begin = time.monotonic()
        ring.wait(5)
        assert 0.03 < time.monotonic() - begin < 1
        assert ring.waiting == 1


def test_waiting_ends_when_it_is_woken_and_when_time_is_over():
    with ring_and_writer() as (ring, _):
        threading.Timer(0.05, ring.wake).start()
        begin = time.monotonic()
        ring.wait(5)
        ring.wait(0.05)
        assert 0.08 < time.monotonic() - begin < 1


def test_another_reader_goes_on_where_the_first_released():
    with ring_and_writer() as (ring, writer):
        for number in range(10):
            writer.write(numbered(number))
        ring.release(ring.read(4).position)
        second = Ring(os.dup(ring._fd))
        assert cookies(second.read(100).records) == [4, 5, 6, 7, 8, 9]
        assert second.map_id == ring.map_id
        second.close()


def test_the_writer_knows_when_the_ring_is_full():
    with ring_and_writer(1 << 12) as (ring, writer):
        written = [writer.write(numbered(number)) for number in range(40)]
        assert written == [True] * 30 + [False] * 10
        assert ring.waiting == 30
