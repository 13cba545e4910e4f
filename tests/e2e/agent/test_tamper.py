"""What somebody alters behind the agent's back is an event, and is put right; meanwhile nothing gets out."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from landfast.policy import layout
from landfast_agent import libbpf, pins, tasks
from landfast_agent.layout import TASK
from landfast_agent.maps import Maps
from tests.e2e.agent.host import LONG, POLICY, Host
from tests.testbed import OUTSIDE, Cgroup, Network, Program, Sniffer, eventually, owned
from tests.testbed.bpf_objects import detach, identity

OUT = str(OUTSIDE.ip4)
RESTLESS = ["sh", "-c", "while sleep 0.02; do curl -s -o /dev/null --max-time 0.5 http://$0/; done", OUT]
SELECTED = owned("lft-tamper")
SELECTING = POLICY.replace("  eu:\n", f"  eu:\n    select: [{{cgroup: /{SELECTED}/*}}]\n")
_SOCK_ADDR, _CONNECT4 = 18, 10
_ALLOW = bytes.fromhex("b7000000010000009500000000000000")  # r0 = 1; exit

EVENT_S = 30  # every few seconds it looks, on a busy machine


@pytest.fixture(scope="module")
def host(servers: Network, host: Host) -> Host:
    """The module's host, with a policy that selects a cgroup."""
    host.policy.write_text(SELECTING)
    subprocess.run(["kill", "-HUP", str(host.json("status")["daemon"]["pid"])], check=True)
    eventually(lambda: host.json("status")["policy"]["version"] == 2, "the policy is in force")
    return host


@contextmanager
def altered(host: Host, kind: str, what: str, most: int = 1) -> Iterator[None]:
    """The alteration that is made in the context is told, as one event, and all is well afterwards."""
    eventually(lambda: host.run("status").returncode == 0, "all is well", EVENT_S)
    before = len(host.notices(kind))
    yield
    eventually(lambda: len(host.notices(kind)) > before, f"an event about {what}", EVENT_S)
    eventually(lambda: host.run("status").returncode == 0, "it is put right", EVENT_S)
    told: list[dict[str, Any]] = host.notices(kind)[before:]
    assert len(told) <= most
    assert what in told[0]["fields"]["what"]


@contextmanager
def nothing_gets_out(host: Host, network: Network) -> Iterator[None]:
    """A tagged program tries all the time."""
    with (
        Sniffer(network.router, "enclave") as sniffer,
        Program(host.tagged(*RESTLESS), host.directory / "restless", host.where),
    ):
        yield
        assert sniffer.frames(to=f"{OUT}/32") == []


@pytest.mark.parametrize("pin", ["links/lf_connect4", "links/lf_egress", "programs/lf_egress", "maps/tasks"])
def test_a_pin_that_is_removed_is_back_at_once_and_meanwhile_nothing_has_ended(
    host: Host, servers: Network, pin: str
) -> None:
    path = host.instance.pins / pin
    before = identity(path)
    kind = "MAPS_ALTERED" if pin.startswith("maps") else "HOOKS_ALTERED"
    with nothing_gets_out(host, servers), altered(host, kind, f"pin {pin} is gone"):
        path.unlink()
        eventually(path.exists, "the pin is back")
    assert identity(path) == before


def test_the_whole_directory_of_pins_is_put_back(host: Host, servers: Network) -> None:
    before = {path: identity(path) for path in host.instance.pins.glob("maps/*")}
    with nothing_gets_out(host, servers), altered(host, "MAPS_ALTERED", "pin maps/", most=9):
        shutil.rmtree(host.instance.pins, ignore_errors=True)
    assert {path: identity(path) for path in host.instance.pins.glob("maps/*")} == before
    assert len(before) > 15


#: Root in name only.
POWERLESS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--"]


@pytest.mark.parametrize("pin", ["links/lf_egress", "maps/tasks"])
def test_root_without_capabilities_removes_no_pin(host: Host, pin: str) -> None:
    path = host.instance.pins / pin
    before = identity(path)
    for words in (["rm", path], ["mv", path, "/sys/fs/bpf/mine"], ["chmod", "777", path.parent], ["ls", path.parent]):
        done = subprocess.run([*POWERLESS, *words], capture_output=True, text=True, check=False)
        assert "Operation not permitted" in done.stderr or "Permission denied" in done.stderr
    assert identity(path) == before


def test_a_directory_of_pins_that_is_renamed_is_found_again(host: Host, servers: Network) -> None:
    before = {path: identity(path) for path in host.instance.pins.glob("*/*")}
    away = host.instance.pins.parent.with_name(f"{host.instance.name}-away") / host.instance.name
    with nothing_gets_out(host, servers), altered(host, "HOOKS_ALTERED", "pins were moved to"):
        away.parent.mkdir()
        os.chown(away.parent, pins.NOBODY, pins.NOBODY)
        host.instance.pins.rename(away)
        eventually(lambda: not away.parent.exists(), "they are back", EVENT_S)
    assert {path: identity(path) for path in host.instance.pins.glob("*/*")} == before


@pytest.mark.parametrize(("pin", "title"), [("lf_sys_enter", "sys_enter"), ("lf_sock_send_length", "sock_send_length")])
def test_the_guard_that_is_removed_is_attached_anew(host: Host, pin: str, title: str) -> None:
    """Attached on demand, as long as somebody is tagged: the policy selects a cgroup."""
    path = host.instance.pins / "links" / pin
    with altered(host, "HOOKS_ALTERED", f"{title} is not attached"):
        path.unlink()
        eventually(path.exists, "the link is back")


def test_another_object_under_a_pin_is_replaced(host: Host) -> None:
    path, stranger = host.instance.map("tasks"), host.instance.map("stranger")
    before = identity(path)
    libbpf.obj_pin(libbpf.map_create(1, "stranger", key_size=4, value_size=48, max_entries=8), stranger)
    with altered(host, "MAPS_ALTERED", "pin maps/tasks leads to another object"):
        stranger.rename(path)
        eventually(lambda: identity(path) == before, "the pin leads to the right one")


@pytest.mark.parametrize("name", ["lf_connect4", "lf_egress"])
def test_a_link_that_is_detached_is_attached_anew(host: Host, name: str) -> None:
    title = f"cgroup/{name.removeprefix('lf_')}"
    with altered(host, "HOOKS_ALTERED", f"{title} was detached"):
        detach(host.instance.pins / "links" / name)
    assert host.attempt(("tcp", OUT, 443)) == ["EPERM"]


def allowing() -> int:
    """A program for connect that lets everything pass."""
    return libbpf.prog_load(_SOCK_ADDR, "stranger", _ALLOW, licence="GPL", attach_type=_CONNECT4)


def test_a_link_that_is_given_another_program_gets_its_own_back(host: Host) -> None:
    stranger, link = allowing(), libbpf.obj_get(host.instance.pins / "links" / "lf_connect4")
    with altered(host, "HOOKS_ALTERED", "cgroup/connect4 was given program"):
        libbpf.link_update(link, stranger)
    assert libbpf.link_info(link).prog_id != libbpf.prog_info(stranger).id


def put_into_audit_mode(host: Host) -> None:
    """Every class."""
    with Maps(host.instance) as maps:
        slot = (maps.control.get("generation") % 2).to_bytes(4, "little")
        value = libbpf.map_lookup(maps.fd("policies"), slot, layout.POLICY.size) or b""
        at = layout.POLICY.offset("audit")
        libbpf.map_update(maps.fd("policies"), slot, value[:at] + b"\xff" * 8 + value[at + 8 :])


def test_a_policy_mask_that_is_altered_is_written_anew(host: Host) -> None:
    approved = host.json("status")["policy"]["map_digest"]
    with altered(host, "MAPS_ALTERED", "; in audit mode: "):
        put_into_audit_mode(host)
    assert host.json("status")["policy"]["map_digest"] == approved
    assert host.attempt(("tcp", OUT, 443)) == ["EPERM"]


def test_the_mode_that_is_told_is_the_kernels_and_not_the_files(fresh: Host) -> None:
    asked = ("explain", "--class", "eu", OUT, "tcp/443")
    with fresh.start():
        assert fresh.json("status")["policy"]["modes"] == {"eu": "enforce", "billing": "enforce", LONG: "audit"}
        assert (fresh.json(*asked)["verdict"], fresh.json(*asked)["audited"]) == ("DENY", [])
    put_into_audit_mode(fresh)
    policy = fresh.json("status")["policy"]
    assert set(policy["modes"].values()) == {"audit"}
    assert policy["problem"].startswith("the kernel's maps were altered; in audit mode: ")
    assert " eu (audit)" in fresh.run("status").stdout
    assert (fresh.json(*asked)["verdict"], fresh.json(*asked)["audited"]) == ("WOULD_DENY", ["eu"])
    assert "in audit mode, which lets everything pass: eu" in fresh.run(*asked).stdout


@pytest.mark.parametrize(("word", "value"), [("tagged", 0), ("selecting", 0), ("generation", 1), ("generation", 0)])
def test_a_word_that_switches_everything_is_set_back(host: Host, word: str, value: int) -> None:
    with Maps(host.instance) as maps, altered(host, "MAPS_ALTERED", f"control word `{word}` was {value}"):
        before = maps.control.get(word)
        maps.control.set(word, value)
        eventually(lambda: maps.control.get(word) == before, "it is set back")
    assert host.attempt(("tcp", OUT, 443)) == ["EPERM"]


@contextmanager
def sleeper(host: Host, classes: str = "eu") -> Iterator[int]:
    """A tagged process."""
    command = host.tagged("sleep", "1000", classes=classes)
    with Program(command, host.directory / "sleeper", host.where) as program, Maps(host.instance) as maps:
        eventually(lambda: tasks.get(maps, program.pid) is not None, "it is tagged")
        yield program.pid


def test_a_process_that_loses_its_tags_gets_them_back(host: Host) -> None:
    with sleeper(host) as pid, Maps(host.instance) as maps:
        tags = tasks.tags_of_all(maps)[pid]
        with altered(host, "TAGS_ALTERED", f"process {pid} lost eu"):
            tasks.forget(maps, pid)
        assert tasks.tags_of_all(maps)[pid] == tags


def test_a_process_that_loses_one_class_gets_it_back(host: Host) -> None:
    with sleeper(host, "eu,billing") as pid, Maps(host.instance) as maps:
        tags = tasks.tags_of_all(maps)[pid]
        key = pid.to_bytes(4, "little")
        value = libbpf.map_lookup(maps.fd("tasks"), key, TASK.size) or b""
        with altered(host, "TAGS_ALTERED", f"process {pid} lost "):
            libbpf.map_update(maps.fd("tasks"), key, (tags & -tags).to_bytes(8, "little") + value[8:])
        assert tasks.tags_of_all(maps)[pid] == tags


def test_a_process_that_is_hidden_from_the_filter_is_shown_again(host: Host) -> None:
    with sleeper(host) as pid, Maps(host.instance) as maps, altered(host, "TAGS_ALTERED", f"process {pid} was hidden"):
        libbpf.map_update(maps.fd("maybe_tagged"), (pid % 4096).to_bytes(4, "little"), bytes(4))


def look(host: Host) -> None:
    """Returns when the agent has compared tags with what they were before."""
    with sleeper(host) as pid, Maps(host.instance) as maps:
        slot = (pid % 4096).to_bytes(4, "little")
        libbpf.map_update(maps.fd("maybe_tagged"), slot, bytes(4))
        eventually(lambda: libbpf.map_lookup(maps.fd("maybe_tagged"), slot, 4) != bytes(4), "it looked", EVENT_S)


def test_a_process_that_ends_and_a_cgroup_that_is_removed_are_no_alteration(host: Host) -> None:
    with Cgroup(f"{SELECTED}/short"), sleeper(host):
        look(host)
    look(host)
    told = [event["fields"]["what"] for event in host.notices("TAGS_ALTERED")[-2:]]
    assert all("was hidden" in what for what in told)


def test_a_cgroup_that_loses_its_tags_gets_them_back(host: Host) -> None:
    with Cgroup(f"{SELECTED}/feed") as cgroup, Maps(host.instance) as maps:
        key = cgroup.path.stat().st_ino.to_bytes(8, "little")
        assert libbpf.map_lookup(maps.fd("cgroups"), key, 8)
        look(host)
        with altered(host, "TAGS_ALTERED", f"cgroup /{SELECTED}/feed lost eu"):
            libbpf.map_delete(maps.fd("cgroups"), key)
        assert libbpf.map_lookup(maps.fd("cgroups"), key, 8)


def test_unload_is_refused_while_an_agent_that_hangs_holds_everything(fresh: Host) -> None:
    with fresh.start() as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        done = fresh.run("unload", "--reason", "it hangs", "--force", timeout=90)
        daemon.process.send_signal(signal.SIGCONT)
        assert (done.returncode, "end it first" in done.stderr) == (1, True), done.stderr
        assert fresh.instance.pins.exists()


def replace_connect(host: Host) -> None:
    """Link and pin agree, so that only the program's contents tell."""
    stranger, pins = allowing(), host.instance.pins
    libbpf.link_update(libbpf.obj_get(pins / "links/lf_connect4"), stranger)
    (pins / "programs/lf_connect4").unlink()
    libbpf.obj_pin(stranger, pins / "programs/lf_connect4")


def remove_optional(host: Host) -> None:
    """As if this kernel had never offered it."""
    for kind in ("links", "programs"):
        (host.instance.pins / kind / "lf_unix_connect").unlink()


@pytest.mark.parametrize(
    ("alter", "kind", "what"),
    [
        (lambda host: detach(host.instance.pins / "links/lf_egress"), "HOOKS_ALTERED", "cgroup/egress attached to"),
        (replace_connect, "HOOKS_ALTERED", "program lf_connect4 is another one"),
        (remove_optional, "HOOKS_ALTERED", "program lf_unix_connect is gone"),
        (put_into_audit_mode, "MAPS_ALTERED", "digest "),
    ],
    ids=["detached", "replaced", "removed", "audit mode"],
)
def test_what_is_altered_while_the_agent_is_away_is_told_and_put_right_when_it_starts(
    fresh: Host, alter: Callable[[Host], None], kind: str, what: str
) -> None:
    fresh.start().kill()
    alter(fresh)
    with fresh.start():
        eventually(lambda: bool(fresh.notices(kind)), "the event")
        assert what in fresh.notices(kind)[0]["fields"]["what"]
        assert fresh.json("status")["problems"] == []
        assert fresh.attempt(("tcp", OUT, 443)) == ["EPERM"]
    with fresh.start():
        assert len(fresh.notices(kind)) == 1
