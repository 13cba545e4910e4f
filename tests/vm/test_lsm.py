"""The tier with BPF LSM: calls that pass no other hook are refused with an EPERM, and nobody is killed."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import loader
from landfast_agent.unix_names import UnixNames
from tests.testbed import Cgroup
from tests.vm.conftest import Holder, Place

POLICY = """
version: 1
data_classes:
  eu:
    peers:
      - {{unix: "{named}", reason: the named one}}
  watched: {{forbidden_calls: audit}}
  free: {{loopback: allow, io_uring: allow}}
  local: {{loopback: allow}}
  entered: {{select: [{{cgroup: "/{cgroup}"}}]}}
"""

AF_VSOCK, SOCK_PACKET = 40, 10
DATAGRAM, STREAM, RAW = socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_RAW

FORBIDDEN = {
    "packet": ("create", socket.AF_PACKET, RAW),
    "packet, cooked": ("create", socket.AF_PACKET, DATAGRAM),
    "packet, by its old name": ("create", socket.AF_INET, SOCK_PACKET),
    "vsock": ("create", AF_VSOCK, STREAM),
    "user netlink": ("create", socket.AF_NETLINK, RAW, 2),
    "raw": ("create", socket.AF_INET, RAW, 1),
    "raw IPv6": ("create", socket.AF_INET6, RAW, 58),
    "SCTP": ("create", socket.AF_INET, STREAM, 132),
    "MPTCP": ("create", socket.AF_INET, STREAM, 262),
    "UDP-Lite": ("create", socket.AF_INET, DATAGRAM, 136),
    "bpf": ("bpf",),
    "io_uring": ("io_uring",),
    "module": ("module",),
    "tun": ("tun",),
}
USUAL = {
    "TCP": ("create", socket.AF_INET, STREAM),
    "UDP over IPv6": ("create", socket.AF_INET6, DATAGRAM),
    "routes": ("create", socket.AF_NETLINK, RAW, 0),
    "unix": ("create", socket.AF_UNIX, STREAM),
    "socketpair": ("pair",),
    "memory of a child": ("write_memory_of_child",),
}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("named")


@pytest.fixture(scope="module")
def selected() -> Cgroup:
    """Not made yet: programs find it when it is."""
    return Cgroup()


@pytest.fixture(scope="module", autouse=True)
def policy(place: Place, named: Path, selected: Cgroup) -> None:
    assert loader.offers_lsm(place.plane.instance), "this kernel does not offer BPF LSM: boot with lsm=...,bpf"
    place.plane.guard.attach()
    place.plane.apply(POLICY.format(named=named / "stream", cgroup=selected.name))


@pytest.fixture(scope="module")
def stranger(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    """An untagged process that no policy names."""
    with place.holder(tmp_path_factory.mktemp("stranger")) as held:
        yield held


def test_what_nobody_decides_on_is_refused_and_recorded(place: Place) -> None:
    place.plane.events()
    told = place.attempt(*FORBIDDEN.values())
    assert dict(zip(FORBIDDEN, told, strict=True)) == dict.fromkeys(FORBIDDEN, "EPERM")
    refused = [each for each in place.plane.events(Stage.SYSCALL) if each.verdict == Verdict.DENY]
    assert len(refused) == len(FORBIDDEN)
    assert {each.reason for each in refused} == {
        Reason.FORBIDDEN_FAMILY,
        Reason.FORBIDDEN_PROTOCOL,
        Reason.RAW_SOCKET,
        Reason.FORBIDDEN_CALL,
    }


def test_usual_calls_go_on(place: Place) -> None:
    told = place.attempt(*USUAL.values())
    assert dict(zip(USUAL, told, strict=True)) == dict.fromkeys(USUAL, "ok")


def test_untagged_processes_are_left_alone(place: Place, stranger: Holder) -> None:
    attempts = [FORBIDDEN[name] for name in ("packet", "raw", "user netlink", "bpf", "io_uring", "tun")]
    others = [("stream", f"{stranger.directory}/stream"), ("take_descriptor", stranger.pid)]
    place.plane.events()
    assert place.attempt(*attempts, *others, classes=()) == ["ok"] * 8
    assert not place.plane.events(Stage.SYSCALL)


def test_audited_calls_are_recorded_and_go_on(place: Place) -> None:
    place.plane.events()
    assert place.attempt(FORBIDDEN["packet"], FORBIDDEN["bpf"], classes=("watched",)) == ["ok", "ok"]
    assert [each.verdict for each in place.plane.events(Stage.SYSCALL)] == [Verdict.WOULD_DENY] * 2


def test_io_uring_is_the_policys_choice(place: Place) -> None:
    assert place.attempt(("io_uring",), classes=("free",)) == ["ok"]
    assert place.attempt(("io_uring",), classes=("free", "eu")) == ["EPERM"]


def test_strangers_cannot_be_written_into(place: Place, stranger: Holder) -> None:
    write = ("write_memory", stranger.pid, stranger.address)
    assert place.attempt(("take_descriptor", stranger.pid), write) == ["EPERM", "EPERM"]
    assert place.attempt(write, classes=()) == ["ok"]


def test_a_fellow_of_the_same_class_can(place: Place, tmp_path: Path) -> None:
    with place.holder(tmp_path, "eu", "free") as fellow:
        write = ("write_memory", fellow.pid, fellow.address)
        assert place.attempt(write) == ["ok"]
        assert place.attempt(write, classes=("eu", "watched")) == ["ok"]  # `watched` only records
        assert place.attempt(write, classes=("eu", "free")) == ["ok"]


def test_a_passed_socket_is_tagged_before_its_first_byte(place: Place, tmp_path: Path) -> None:
    with place.holder(tmp_path) as helper:
        receive = ("receive", f"{helper.directory}/stream")
        assert place.attempt(receive, classes=()) == ["ok"]
        assert place.attempt(receive, classes=("free",)) == ["EPERM"]


def test_a_passed_raw_socket_does_not_arrive(place: Place, tmp_path: Path) -> None:
    with place.holder(tmp_path) as helper:
        place.plane.events()
        assert place.attempt(("receive", f"{helper.directory}/raw"), classes=("free",)) == ["EPERM"]
        assert Reason.RAW_SOCKET in {each.reason for each in place.plane.events(Stage.SYSCALL)}


UNJUDGED = ("tun", "macvtap", "bpf")


@pytest.mark.parametrize("name", [*UNJUDGED, "null"])
def test_a_passed_file_arrives_unless_nobody_can_judge_it(place: Place, tmp_path: Path, name: str) -> None:
    with place.holder(tmp_path) as helper:
        receive = ("receive_file", f"{helper.directory}/{name}")
        assert place.attempt(receive, classes=()) == ["ok"]
        place.plane.events()
        assert place.attempt(receive, classes=("local",)) == ["EPERM" if name in UNJUDGED else "ok"]
        refused = [each.reason for each in place.plane.events(Stage.SYSCALL) if each.verdict == Verdict.DENY]
        assert refused == [Reason.FORBIDDEN_CALL] * (name in UNJUDGED)


NETLINK = {"kernel": (0, 0), "program": (1, 0), "group": (0, 1)}


@pytest.mark.parametrize("way", ["connect", "sendto"])
def test_netlink_reaches_the_kernel_and_no_other_program(place: Place, way: str) -> None:
    attempts = [("netlink", way, *to) for to in NETLINK.values()]
    assert place.attempt(*attempts, classes=()) == ["ok"] * 3
    assert place.attempt(*attempts) == ["ok", "EPERM", "EPERM"]


@pytest.mark.parametrize("way", ["send", "sendfile"])
def test_an_older_socket_is_tagged_when_it_is_used(place: Place, selected: Cgroup, way: str) -> None:
    with selected:
        assert place.attempt(("late", str(selected.path), way), classes=()) == ["EPERM"]


WAYS = ("stream", "datagram", "connected_datagram")


def _on(way: str, directory: Path) -> str:
    return f"{directory}/{'stream' if way == 'stream' else 'datagram'}"


@pytest.mark.parametrize("way", WAYS)
def test_unix_strangers_get_nothing(place: Place, stranger: Holder, way: str) -> None:
    place.plane.events()
    assert place.attempt((way, _on(way, stranger.directory))) == ["EPERM"]
    (event,) = [each for each in place.plane.events(Stage.UNIX) if each.verdict == Verdict.DENY]
    assert event.reason == Reason.UNTAGGED_PEER
    assert UnixNames(place.plane.maps).unix_name(event.detail) == _on(way, stranger.directory)


def test_abstract_names_are_no_way_out(place: Place, stranger: Holder) -> None:
    assert place.attempt(("stream", f"@{stranger.directory.name}")) == ["EPERM"]


@pytest.mark.parametrize("way", WAYS)
def test_unix_fellows_of_the_same_class_are_reached(place: Place, tmp_path: Path, way: str) -> None:
    with place.holder(tmp_path, "eu"):
        assert place.attempt((way, _on(way, tmp_path))) == ["ok"]
        assert place.attempt((way, _on(way, tmp_path)), classes=("eu", "watched")) == ["EPERM"]


def test_a_fellow_that_was_tagged_late_is_reached(place: Place, tmp_path: Path) -> None:
    with place.holder(tmp_path) as fellow:
        place.plane.tagger.tag_tree(fellow.pid, place.plane.tags(["eu"]))
        assert place.attempt(("stream", f"{tmp_path}/stream"), ("datagram", f"{tmp_path}/datagram")) == ["ok", "ok"]


def test_a_peer_that_policy_names_is_reached(place: Place, named: Path) -> None:
    with place.holder(named):
        assert place.attempt(("stream", f"{named}/stream"), ("stream", f"{named}/raw")) == ["ok", "EPERM"]


def test_an_untagged_process_gets_nothing_from_a_tagged_one(place: Place, tmp_path: Path) -> None:
    with place.holder(tmp_path, "eu"):
        place.plane.events()
        assert place.attempt(("stream", f"{tmp_path}/stream"), classes=()) == ["EPERM"]
        (event,) = [each for each in place.plane.events(Stage.UNIX) if each.verdict == Verdict.DENY]
        assert UnixNames(place.plane.maps).unix_name(event.detail) == f"{tmp_path}/stream"
        assert event.missing == place.plane.tags(["eu"])
