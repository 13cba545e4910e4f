"""The canary against the real data plane: what it proves, and that it notices when there is nothing to prove."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from landfast import event
from landfast.policy import canonical, layout, source
from landfast.policy.succession import succeed
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Stage
from landfast_agent import image, libbpf, loader, tasks
from landfast_agent.backstop import Backstop
from landfast_agent.canary import Canary
from landfast_agent.clock import Clock
from landfast_agent.enforcer import Enforcer
from landfast_agent.lockout import Lockout
from landfast_agent.policy_store import PolicyStore
from tests.testbed import eventually
from tests.testbed.plane import Plane

POLICY = """\
version: 1
data_classes:
  eu:
    allow: [{to: 10.20.0.0/16, ports: [tcp/443], reason: data centre}]
  documents:
    allow:
      - {to: 192.0.2.0/24, ports: [any], reason: documentation}
      - {to: 198.51.100.0/24, ports: [any], reason: documentation}
      - {to: 203.0.113.0/24, ports: [any], reason: documentation}
      - {to: "2001:db8::/32", ports: [any], reason: documentation}
  web:
    allow:
      - {to: 0.0.0.0/0, ports: [tcp/1-1024, udp/443], reason: anywhere}
      - {to: "::/0", ports: [any], reason: anywhere}
  free:
    allow:
      - {to: 0.0.0.0/0, ports: [any], reason: anywhere}
      - {to: "::/0", ports: [any], reason: anywhere}
  watched:
    mode: audit
"""
DENY, CANARY = 2, 7  # enum lf_counter
PER_CLASS = 6  # connect, sendto and send, IPv4 and IPv6


class Host:
    """The daemon's parts that a canary needs, and what they were told."""

    def __init__(self, plane: Plane, directory: Path) -> None:
        self.plane = plane
        self.notices: list[tuple[int, str]] = []
        self.made: set[tuple[int, int]] = set()
        clock = Clock(directory / "clock")
        self.backstop = Backstop(plane.instance, plane.maps)
        self.enforcer = Enforcer(
            plane.maps,
            PolicyStore(directory / "policies"),
            clock,
            Lockout(),
            plane.guard,
            self.backstop,
            self._notify,
        )
        self.canary = Canary(self.enforcer, self._notify)
        self.deaf = False
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read)

    def _notify(self, kind: "NoticeKind.ValueType", text: str, fields: dict[str, str]) -> None:
        self.notices.append((kind, text))

    def _read(self) -> None:
        while not self._ended.is_set():
            reading = self.plane.ring.read(1000)
            self.plane.ring.release(reading.position)
            self.made |= {(each.tgid, each.image) for each in event.read_all(reading.records)}
            if not self.deaf:
                self.canary.saw(reading.records)
            time.sleep(0.01)

    def __enter__(self) -> "Host":
        self._reader.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.backstop.end()
        self._ended.set()
        self._reader.join()


@pytest.fixture(scope="module")
def policy() -> bytes:
    return canonical.encode(succeed(source.read(POLICY).draft, None))


@pytest.fixture
def host(plane: Plane, tmp_path: Path, policy: bytes) -> Iterator[Host]:
    with Host(plane, tmp_path) as made:
        made.enforcer.apply(policy)
        yield made


def counted(plane: Plane, counter: int) -> list[int]:
    return [plane.count(stage, counter) for stage in (Stage.CONNECT, Stage.SENDMSG, Stage.EGRESS)]


def test_every_class_that_enforces_is_refused_by_every_hook(host: Host) -> None:
    assert host.canary.round()
    state = host.canary.state
    assert (state.problems, state.spared) == ([], ["free"])
    assert state.refusals == PER_CLASS + PER_CLASS + PER_CLASS // 2
    assert (NoticeKind.NOTICE_KIND_CANARY_PASSED, "canary: refused and recorded in all of 15 attempts") in host.notices
    assert len(host.made) == 3
    assert all(tasks.is_canary(host.plane.maps, image) for _, image in host.made)
    assert counted(host.plane, CANARY) == counted(host.plane, DENY) == [5, 5, 5]


def test_a_second_round_says_nothing_new(host: Host) -> None:
    host.canary.round()
    before = len(host.notices)
    assert host.canary.round()
    assert (len(host.notices), len(host.made)) == (before, 6)


def test_a_class_that_is_not_refused_any_more_raises_the_alarm(host: Host) -> None:
    """Its loaded slot is put into audit mode behind the agent's back."""
    slot = (host.plane.maps.control.get("generation") % 2).to_bytes(4, "little")
    fd, at = host.plane.maps.fd("policies"), layout.POLICY.offset("audit")
    value = libbpf.map_lookup(fd, slot, layout.POLICY.size) or b""
    mask = host.enforcer.mask(["eu"]).to_bytes(8, "little")
    libbpf.map_update(fd, slot, value[:at] + mask + value[at + 8 :])
    host.canary.round()
    problems = host.canary.state.problems
    assert "class eu: connect 203.0.113.1 tcp/9 was not refused: EINPROGRESS" in problems
    assert "class eu: sendto 203.0.113.1 udp/9 was not refused: ok" in problems
    assert "class eu: 3 packets to 203.0.113.1 got out" in problems
    assert all(problem.startswith("class eu: ") for problem in problems)
    assert host.notices[-1][0] == NoticeKind.NOTICE_KIND_CANARY_FAILED
    libbpf.map_update(fd, slot, value)
    host.canary.round()
    assert host.canary.state.problems == []
    assert host.notices[-1][0] == NoticeKind.NOTICE_KIND_CANARY_PASSED


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ("lf_connect4", "class eu: connect 203.0.113.1 tcp/9 was not refused: EINPROGRESS"),
        ("lf_sendmsg4", "class eu: the refusal of sendto 203.0.113.1 udp/9 was not recorded"),
        ("lf_egress", "class eu: 1 packets to 203.0.113.1 got out"),
    ],
)
def test_a_hook_that_is_missing_raises_the_alarm(
    host: Host, monkeypatch: pytest.MonkeyPatch, hook: str, says: str
) -> None:
    monkeypatch.setattr("landfast_agent.canary._EVENTS_S", 0.5)
    (host.plane.instance.pins / "links" / hook).unlink()
    host.canary.round()
    loader.load(image.obtain(host.plane.instance.images), host.plane.instance, 1 << 20)
    assert says in host.canary.state.problems
    assert host.canary.round()
    assert host.canary.state.problems == []


def test_refusals_that_nobody_records_raise_the_alarm(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landfast_agent.canary._EVENTS_S", 0.5)
    host.deaf = True
    host.canary.round()
    assert "class eu: the refusal of send 203.0.113.1 udp/9 was not recorded" in host.canary.state.problems


def test_a_round_ends_with_the_daemon_and_raises_no_alarm(host: Host) -> None:
    host.deaf = True
    with ThreadPoolExecutor(1) as pool:
        round_of_it = pool.submit(host.canary.round)
        eventually(lambda: host.made, "the canary was refused")
        host.canary.end()
        assert not round_of_it.result(timeout=5)
    assert not host.canary.round()
    assert NoticeKind.NOTICE_KIND_CANARY_FAILED not in [kind for kind, _ in host.notices]


def test_without_a_policy_there_is_nothing_to_prove(plane: Plane, tmp_path: Path) -> None:
    with Host(plane, tmp_path) as host:
        assert not host.canary.round()
        assert host.notices == []
