import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial

import pytest

from landfast import batch as batches
from landfast.event import Event
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Verdict
from landfast_agent import spool_file
from landfast_agent.errors import Unavailable
from landfast_agent.spool import Spool
from tests.bpf.recorder_program import POLICY, recorder, recording
from tests.bpf.ring_writer import numbered, ring_and_writer
from tests.testbed import eventually
from tests.testbed.event_keys import signer

K = NoticeKind


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool.sqlite"


def stored(path):
    """Everything in the spool, checked for an unbroken chain."""
    views = [batches.decode(data) for data in spool_file.history(path)]
    last, previous = 0, b""
    for view in views:
        batches.check_follows(view, last, previous)
        last, previous = view.last, batches.digest(view.message.SerializeToString(deterministic=True))
    return [item for view in views for _, item in view]


def cookies(items):
    return [item.cookie for item in items if isinstance(item, Event)]


def kinds(items):
    return [item.kind for item in items if not isinstance(item, Event)]


def test_records_and_notices_are_stored_and_the_ring_is_given_back(path):
    seen = []
    with ring_and_writer() as (ring, writer):
        with recording(ring, path, on_stored=seen.append) as made:
            for number in range(23):
                writer.write(numbered(number, verdict=Verdict.DENY, tags=1, rule=5, version=9))
            last = made.note(K.NOTICE_KIND_TAGGED, "process 7 tagged\x1b[2J", {"pid": "7"}).result(5)
            eventually(lambda: made.state().recorded == 25, "all is stored")
        assert ring.position == ring.end
    items = stored(path)
    assert cookies(items) == list(range(23))
    assert kinds(items) == [K.NOTICE_KIND_AGENT_STARTED, K.NOTICE_KIND_TAGGED, K.NOTICE_KIND_AGENT_STOPPED]
    assert last in seen
    assert [item.text for item in items if not isinstance(item, Event)][1] == "process 7 tagged\\x1b[2J"


def test_batches_name_what_their_records_name(path):
    with ring_and_writer() as (ring, writer), recording(ring, path):
        for number in range(10):
            writer.write(numbered(number, tgid=number % 3, image=8, tags=1, rule=number % 2, version=9))
    views = [batches.decode(data) for data in spool_file.history(path)]
    items = [(view, item) for view in views for _, item in view if isinstance(item, Event)]
    assert len(items) == 10
    assert all(view.process(item).tgid == item.tgid for view, item in items)
    assert {view.rule(item) for view, item in items} == {"", "rule 1 of policy 9"}
    assert all(view.classes(item.tags) == ["eea-user-data"] for view, item in items)
    assert all(len(view.message.processes) <= 3 for view in views)


def test_thousands_of_processes_are_cut_into_batches_that_fit(path):
    with ring_and_writer(1 << 20) as (ring, writer):
        for number in range(4001):
            assert writer.write(numbered(number, tgid=number, image=number, comm=b"a-longer-command", tags=1))
        with recording(ring, path):
            pass
    assert cookies(stored(path)) == list(range(4001))
    assert max(len(data) for data in spool_file.history(path)) <= batches.MAX_BYTES


def test_an_event_is_stored_within_a_tenth_of_a_second(path):
    arrived, delays = threading.Event(), []
    with ring_and_writer() as (ring, writer), recording(ring, path, on_stored=lambda _: arrived.set()):
        for number in range(11):
            time.sleep(0.07)
            arrived.clear()
            begin = time.monotonic()
            writer.write(numbered(number), flags=2)
            assert arrived.wait(5)
            delays.append(time.monotonic() - begin)
    assert sorted(delays)[5] < 0.1


def test_records_without_a_wake_up_are_found_soon_after_one_with(path):
    with ring_and_writer() as (ring, writer), recording(ring, path) as made:
        eventually(lambda: made.state().recorded == 1, "the start is stored")
        time.sleep(0.1)
        writer.write(numbered(0), flags=2)
        for number in range(1, 10):
            time.sleep(0.001)
            writer.write(numbered(number), flags=1)
        eventually(lambda: made.state().recorded == 11, "all is stored", 1)


def test_an_idle_recorder_makes_no_batches_and_costs_nothing(path):
    with ring_and_writer() as (ring, _), recording(ring, path) as made:
        eventually(lambda: made.state().recorded == 1, "the start is stored")
        before = time.process_time()
        time.sleep(1)
        assert time.process_time() - before < 0.05
    assert len(list(spool_file.history(path))) == 2


def test_the_next_recorder_goes_on_and_an_orderly_stop_is_no_gap(path):
    with ring_and_writer() as (ring, writer):
        for number in range(3):
            with recording(ring, path):
                writer.write(numbered(number))
            writer.write(numbered(number + 100))
        with recording(ring, path):
            pass
    items = stored(path)
    assert cookies(items) == [0, 100, 1, 101, 2, 102]
    assert kinds(items) == [K.NOTICE_KIND_AGENT_STARTED, K.NOTICE_KIND_AGENT_STOPPED] * 4


def test_a_new_ring_is_read_from_its_own_beginning(path):
    for boot in range(2):
        with ring_and_writer() as (ring, writer):
            for number in range(10):
                writer.write(numbered(boot * 10 + number))
            with recording(ring, path):
                pass
    assert cookies(stored(path)) == list(range(20))


def test_a_crash_between_storing_and_releasing_doubles_nothing(path):
    with ring_and_writer() as (ring, writer):
        for number in range(10):
            writer.write(numbered(number))
        with recording(ring, path):
            pass
        ring.release(3 * 136)  # as if it had not come to that
        for number in range(10, 15):
            writer.write(numbered(number))
        with recording(ring, path):
            pass
    assert cookies(stored(path)) == list(range(15))


def test_who_acts_on_records_sees_all_and_keeps_none_from_being_stored(path):
    acted = []

    def act(records):
        acted.append(records)
        raise RuntimeError("a mistake")

    with ring_and_writer() as (ring, writer), recording(ring, path, on_records=act) as made:
        for number in range(23):
            writer.write(numbered(number))
        made.note(K.NOTICE_KIND_TAGGED, "done").result(5)
    assert cookies(stored(path)) == list(range(23))
    assert len(b"".join(acted)) == 23 * 128


def test_an_idle_host_says_so_and_each_time_which_policy_is_in_force(path):
    """But not while there is something else to say."""
    with ring_and_writer() as (ring, writer), recording(ring, path, heartbeat_s=0.3) as made:
        eventually(lambda: made.state().recorded == 4, "three heartbeats after the start")
        for number in range(23):
            writer.write(numbered(number), flags=2)
            time.sleep(0.05)
    views = [batches.decode(data) for data in spool_file.history(path)]
    beats = [item for view in views for _, item in view if view.is_heartbeat(item)]
    assert len(beats) >= 3
    assert len(beats) < 23
    assert {(view.message.policy_version, view.message.policy_digest) for view in views} == {POLICY}
    assert cookies(stored(path)) == list(range(23))


def test_losses_that_the_kernel_counts_become_a_notice_once(path):
    counters = [0] * batches.COUNTERS
    with ring_and_writer() as (ring, _):
        with recording(ring, path, counters=lambda: tuple(counters)) as made:
            made.note(K.NOTICE_KIND_TAGGED, "before").result(5)
            counters[1 * 8 + 6], counters[3 * 8 + 6] = 7, 5
            made.note(K.NOTICE_KIND_TAGGED, "after").result(5)
        with recording(ring, path, counters=lambda: tuple(counters)):
            pass
    (lost,) = [item for item in stored(path) if not isinstance(item, Event) and item.kind == K.NOTICE_KIND_LOST]
    assert dict(lost.fields) == {"CONNECT": "7", "EGRESS": "5"}


def test_notices_that_cannot_wait_are_counted(path):
    with ring_and_writer() as (ring, _):
        made = recorder(ring, Spool(path, "h", partial(signer, "h"), standalone=True))
        futures = [made.note(K.NOTICE_KIND_TAGGED, str(n)) for n in range(4200)]
        with pytest.raises(Unavailable, match="4096 notices wait"):
            futures[-1].result(0)
        futures[5].cancel()
        made.start()
        eventually(lambda: made.state().recorded > 4096, "the notices are stored")
        made.stop()
        assert futures[0].result(0) > 0
    items = stored(path)
    (lost,) = [item for item in items if not isinstance(item, Event) and item.kind == K.NOTICE_KIND_LOST]
    assert int(lost.fields["NOTICES"]) == 4200 - 4096
    assert kinds(items).count(K.NOTICE_KIND_TAGGED) == 4096


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk):
    """Leaves no room at all; returns the file to remove."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)) == 4096:
            pass
    return disk / "filler"


def test_a_full_disk_stops_the_recording_until_there_is_room(small_disk):
    path = small_disk / "spool.sqlite"
    with ring_and_writer(1 << 20) as (ring, writer), recording(ring, path) as made:
        writer.write(numbered(0), flags=2)
        eventually(lambda: made.state().recorded == 2, "the first event is stored")
        filler = fill(small_disk)
        for number in range(1, 3001):
            assert writer.write(numbered(number), flags=2)
        eventually(lambda: made.state().problem, "the problem is told")
        assert "make room" in made.state().problem
        assert made.state().waiting > 0
        filler.unlink()
        eventually(lambda: made.state().recorded == 3002 and not made.state().problem, "all is stored", 10)
    assert cookies(stored(path)) == list(range(3001))


def start(ring_fd, path, backlog):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bpf.recorder_program", str(ring_fd), str(path), str(backlog)],
        pass_fds=[ring_fd],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def write_steadily(writer, written, until):
    """Writes numbered records until told to stop; waits when the ring is full."""
    number = 0
    while not until.is_set():
        if writer.write(numbered(number, verdict=1 + number % 2), flags=2 if number % 50 == 0 else 1):
            number += 1
            written[0] = number
        else:
            time.sleep(0.002)
        if number % 200 == 0:
            time.sleep(0.001)


@pytest.mark.parametrize("backlog", [0, 1 << 30])
def test_sigkill_at_random_moments_loses_and_doubles_nothing(path, backlog):
    chance = random.Random(backlog)
    with ring_and_writer(1 << 20) as (ring, writer):
        written, done = [0], threading.Event()
        flood = threading.Thread(target=write_steadily, args=(writer, written, done))
        flood.start()
        for _ in range(4):
            released = ring.position
            program = start(ring._fd, path, backlog)
            eventually(lambda before=released: ring.position > before, "it records", 20)
            time.sleep(chance.random() / 2)
            program.kill()
            program.communicate()
        done.set()
        flood.join()
        program = start(ring._fd, path, backlog)
        program.communicate(timeout=20)
        assert program.returncode == 0
    items = stored(path) if backlog == 0 else sealed_in_order(path)
    assert cookies(items) == list(range(written[0]))
    assert written[0] > 5_000
    assert kinds(items).count(K.NOTICE_KIND_GAP) == kinds(items).count(K.NOTICE_KIND_AGENT_STARTED) - 1 >= 2


def sealed_in_order(path):
    """Acknowledges window by window, as a controller would, and gives every event."""
    spool, items = Spool(path, "hall-1", partial(signer, "hall-1")), []
    while pending := spool.pending():
        items += [item for sealed in pending for _, item in batches.decode(sealed.data)]
        spool.acknowledge(pending[-1].last_sequence)
    assert len(stored(path)) == len(items)
    return items
