"""The recorder on the real data plane: what tagged programs do is recorded with who they were, exactly once."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial

import pytest

from landfast import batch as batches
from landfast import event, render
from landfast.event import Event
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import slots, spool_file, tasks
from landfast_agent.drafts import Knowledge
from landfast_agent.listeners import Listeners
from landfast_agent.policy_store import PolicyStore
from landfast_agent.processes import Processes
from landfast_agent.recorder import Recorder
from landfast_agent.ring import Ring
from landfast_agent.spool import Spool
from landfast_agent.unix_names import UnixNames
from tests.testbed import Cgroup, eventually
from tests.testbed.event_keys import signer
from tests.testbed.names import owned
from tests.testbed.plane import Plane

POLICY = """
version: 1
data_classes:
  eu:
    allow: [{to: 203.0.113.0/24, ports: [tcp/443], reason: backups}]
"""

CONNECT = """
import os, socket, sys
sys.stdin.readline()
{before}
for _ in range({times}):
    with socket.socket() as sock:
        sock.settimeout(0.01)
        print(sock.connect_ex(("198.51.100.7", 443)))
"""


@pytest.fixture(scope="module")
def plane():
    with Plane(owned("t"), ring_bytes=1 << 16) as made:
        made.apply(POLICY)
        yield made


@contextmanager
def recording(plane, path, **options):
    ring = Ring(os.dup(plane.maps.fd("events")))
    recorder = Recorder(
        ring=ring,
        spool=Spool(path, "hall-1", partial(signer, "hall-1"), standalone=True),
        counters=plane.maps.counters,
        policy=partial(slots.in_force, plane.maps),
        known=Knowledge(
            Processes(plane.maps, **options),
            PolicyStore(path.parent / "policies"),
            Listeners(plane.maps),
            UnixNames(plane.maps),
        ),
    )
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.stop()
        ring.close()


def run(plane, times=1, before="", cgroup=None, after=lambda pid: None):
    """A tagged program that is refused `times` connections. Its process id."""
    code = CONNECT.format(times=times, before=before)
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if cgroup:
        cgroup.add(process.pid)
    plane.tagger.tag_tree(process.pid, plane.tags(["eu"]))
    output, _ = process.communicate("\n", timeout=60)
    assert output.split() == ["1"] * times  # EPERM
    return process.pid


def events(path):
    """(what a batch knows, event) of everything recorded, notices too."""
    views = [batches.decode(data) for data in spool_file.history(path)]
    return [(view, item) for view in views for _, item in view]


def connects(path):
    return [(v, i) for v, i in events(path) if isinstance(i, Event) and i.stage == Stage.CONNECT]


@pytest.fixture(autouse=True)
def _empty_ring(plane):
    plane.events()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool.sqlite"


def test_23_connections_refused_are_23_events(plane, path):
    with recording(plane, path):
        pid = run(plane, 23)
    seen = connects(path)
    assert len(seen) == 23
    assert {(i.tgid, i.verdict, i.reason) for _, i in seen} == {(pid, Verdict.DENY, Reason.NO_RULE)}
    assert {render.endpoint(i) for _, i in seen} == {"198.51.100.7:443/tcp"}


def test_an_event_names_its_process_while_it_lives(plane, path, cgroup):
    with recording(plane, path, command_lines=True):
        run(plane, cgroup=cgroup)
    ((view, item),) = connects(path)
    process = view.process(item)
    assert process.executable == os.path.realpath("/usr/bin/python3")
    assert (process.uid, process.user, process.comm) == (0, "root", "python3")
    assert process.cgroup == f"/{cgroup.name}"


def test_a_living_process_is_described_from_proc(plane, path):
    process = subprocess.Popen([sys.executable, "-c", "input()", "secret\n\x1b[2J"], stdin=subprocess.PIPE)
    try:
        plane.tagger.tag_tree(process.pid, 1)
        task = tasks.get(plane.maps, process.pid)
        item = _event(process.pid, task.image)
        described = Processes(plane.maps, command_lines=True).describe(item)
        assert described.parent == os.getpid()
        assert described.command_line.endswith("secret\\n\\x1b[2J")
        assert Processes(plane.maps).describe(item).command_line == ""
        assert Processes(plane.maps).describe(_event(process.pid, task.image - 1)).executable == ""
    finally:
        process.communicate()


def _event(tgid, image, time_ns=2**62):
    return event.read(event.pack(tgid=tgid, image=image, time_ns=time_ns, cgroup_id=1, comm=b"name"))


def test_an_untagged_process_is_named_only_if_it_is_old_enough(plane):
    processes = Processes(plane.maps)
    assert processes.describe(_event(os.getpid(), 0)).executable == os.readlink("/proc/self/exe")
    assert processes.describe(_event(os.getpid(), 0, time_ns=1)).executable == ""


ONE_CONNECT = "import socket; s = socket.socket(); print(s.connect_ex(('198.51.100.7', 443)))"

PERL = """
socket(my $s, PF_INET, SOCK_STREAM, 0);
connect($s, sockaddr_in(443, inet_aton("198.51.100.7")));
print $! + 0, "\\n";
"""


def test_a_dead_process_is_named_by_what_the_kernel_kept(plane, path):
    leave_it_to_a_child = f"""
if os.fork():
    os.wait()
    os._exit(0)
os.execv('/usr/bin/env', ['env', '/usr/bin/python3', '-c', {ONE_CONNECT!r}])
"""
    run(plane, before=leave_it_to_a_child)
    with recording(plane, path):
        pass
    ((view, item),) = connects(path)
    assert view.process(item).executable == "/usr/bin/python3"
    executed = [v.process(i).executable for v, i in events(path) if isinstance(i, Event) and i.reason == Reason.EXEC]
    assert executed == ["/usr/bin/env", "/usr/bin/python3"]


def test_each_execution_of_a_process_has_its_own_name(plane, path):
    become_perl = f"""
print(socket.socket().connect_ex(("198.51.100.7", 443)), flush=True)
os.execv("/usr/bin/perl", ["perl", "-MSocket", "-e", {PERL!r}])
"""
    with recording(plane, path):
        run(plane, before=become_perl, times=2)
    seen = [os.path.basename(view.process(item).executable) for view, item in connects(path)]
    assert len(seen) == 2
    assert seen[0].startswith("python3")
    assert seen[1].startswith("perl")


def test_a_full_ring_loses_exactly_what_the_kernel_counts(plane, path):
    before = plane.maps.counters()
    run(plane, 1009)
    decided, submitted, lost = (_grown(plane, before, Stage.CONNECT, counter) for counter in (0, 5, 6))
    assert decided == 1009 == submitted + lost
    assert lost > 500
    with recording(plane, path) as recorder:
        eventually(lambda: recorder.state().waiting == 0, "there is room again")
        run(plane, 23)
    assert len(connects(path)) == submitted + 23
    (notice,) = [i for _, i in events(path) if not isinstance(i, Event) and i.kind == NoticeKind.NOTICE_KIND_LOST]
    assert int(notice.fields["CONNECT"]) >= lost
    last = batches.decode(list(spool_file.history(path))[-1]).message.counters
    assert last[Stage.CONNECT * 8] - before[Stage.CONNECT * 8] == 1009 + 23


def _grown(plane, before, stage, counter):
    at = stage * 8 + counter
    return plane.maps.counters()[at] - before[at]


def test_a_cgroup_is_named_by_its_path_also_when_its_process_is_gone(plane, path):
    with Cgroup(owned("lft") + "/feed-ingest.service") as made:
        run(plane, cgroup=made)
        with recording(plane, path):
            pass
        ((view, item),) = connects(path)
        assert view.process(item).cgroup == f"/{made.name}"
        assert view.process(item).unit == "feed-ingest.service"


CONNECT_UNIX = """
import socket, sys
sys.stdin.readline()
for name in {names!r}:
    with socket.socket(socket.AF_UNIX) as sock:
        print(sock.connect_ex(name))
"""


def test_refused_unix_sockets_are_named(plane, path):
    """A daemon listens at the first of them, so that a refusal is not mistaken for an absence."""
    if not (plane.instance.pins / "links" / "lf_unix_connect").exists():
        raise AssertionError("this kernel does not judge unix sockets: run this test on Linux 6.7 or with BPF LSM")
    names = [str(path.parent / "server"), "\0landfast\x1btest", "@relative"]
    code = CONNECT_UNIX.format(names=names)
    with socket.socket(socket.AF_UNIX) as server, recording(plane, path):
        server.bind(names[0])
        server.listen()
        process = subprocess.Popen(
            ["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        plane.tagger.tag_tree(process.pid, plane.tags(["eu"]))
        assert process.communicate("\n", timeout=60)[0].split() == ["1"] * 3  # EPERM
    seen = [(view, item) for view, item in events(path) if isinstance(item, Event) and item.stage == Stage.UNIX]
    assert [view.unix_name(item) for view, item in seen] == [names[0], "@landfast\\x1btest", "./@relative"]
    assert all(f"-> unix:{view.unix_name(item)}  UNTAGGED_PEER" in render.line(view, item) for view, item in seen)
