"""`exec` adds tags and takes nothing else from the command: its descriptors, signals, arguments and exit status."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from landfast_agent.capabilities import UNDOING
from tests.e2e.agent.host import Host
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Program, Sniffer, eventually
from tests.testbed import client as client_program

_PYTHON = "/usr/bin/python3"
_CLIENT = Path(client_program.__file__)


def status_of_self(host: Host, *options: str, prefix: tuple[str, ...] = ()) -> dict[str, str]:
    """/proc/self/status of a command that `exec` has become."""
    command = [*prefix, *host.tagged("cat", "/proc/self/status", options=options)]
    done = host.where.run(command)
    assert done.returncode == 0, done.stderr
    return _status(done.stdout)


def _status(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines())}


def test_arguments_arrive_as_they_are(host: Host) -> None:
    words = ["two words", "", "--class", "-x", "$HOME", "new\nline", "ü", "--"]
    done = host.exec("printf", "%s\\0", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\0".join(words) + "\0", "")


def test_options_after_the_command_are_the_commands_own(host: Host) -> None:
    done = host.where.run(host.command("exec", "--class", "eu", "echo", "--help", "--class", "x"))
    assert done.stdout == "--help --class x\n"


def test_bytes_pass_through_standard_input_and_output(host: Host) -> None:
    sent = os.urandom(1 << 20)
    command = host.where.command(host.tagged("cat"))
    done = subprocess.run(command, input=sent, capture_output=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == (sent, b"")


def test_inherited_descriptors_stay_and_none_is_added(host: Host) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as answer:
        done = host.exec("bash", "-c", f"echo passed >&{writer}; ls /proc/self/fd", pass_fds=[writer])
        os.close(writer)
        assert answer.read() == b"passed\n"
    assert set(done.stdout.split()) == {"0", "1", "2", "3", str(writer)} - ({"3"} if writer == 3 else set())


def test_environment_and_directory_are_passed_on(host: Host, tmp_path: Path) -> None:
    environment = os.environ | {"LF_TEST": "a b", "LANG": "tlh"}
    done = host.exec("sh", "-c", 'echo "$LF_TEST $LANG $PWD"', env=environment, cwd=tmp_path)
    assert done.stdout == f"a b tlh {tmp_path}\n"


def _ignored_and_blocked(host: Host, *prefix: str) -> tuple[int, int]:
    """The same of a command that is not started through `exec`: whoever started the tests may ignore signals too."""
    status = _status(host.where.run([*prefix, "cat", "/proc/self/status"]).stdout)
    return int(status["SigIgn"], 16), int(status["SigBlk"], 16)


def test_signal_handling_is_that_of_a_fresh_program(host: Host) -> None:
    status = status_of_self(host)
    assert (int(status["SigIgn"], 16), int(status["SigBlk"], 16)) == _ignored_and_blocked(host)


def test_what_the_caller_ignores_stays_ignored(host: Host) -> None:
    prefix = ("sh", "-c", 'trap "" HUP INT TERM; exec "$@"', "sh")
    ignored = int(status_of_self(host, prefix=prefix)["SigIgn"], 16)
    assert ignored == _ignored_and_blocked(host, *prefix)[0]
    assert ignored & 0b100_0000_0000_0011 == 0b100_0000_0000_0011


def test_descriptors_that_the_caller_closed_stay_closed(host: Host) -> None:
    reader, writer = os.pipe()
    closed = ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *host.tagged("ls", "/proc/self/fd")]
    with os.fdopen(reader) as answer:
        host.where.run(closed, stdout=writer, capture_output=False)
        os.close(writer)
        assert answer.read() == "0\n1\n"  # 0 is what ls opened itself


@pytest.mark.parametrize("status", [0, 1, 23, 125, 255])
def test_the_exit_status_is_the_commands_own(host: Host, status: int) -> None:
    assert host.exec("sh", "-c", f"exit {status}").returncode == status


def test_a_command_that_kills_itself_dies_of_that_signal(host: Host) -> None:
    assert host.exec("sh", "-c", "kill -KILL $$").returncode == -signal.SIGKILL


def test_signals_go_to_the_command_since_it_has_the_same_number(host: Host, tmp_path: Path) -> None:
    trap = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    program = Program(host.tagged("sh", "-c", trap), tmp_path / "log", host.where)
    program.ready(lambda: "ready" in program.output)
    assert program.pid in [each["pid"] for each in host.json("ps")]
    assert program.stop() == 7
    assert program.output == "ready\ntold\n"


def test_a_reader_that_goes_away_ends_the_command(host: Host) -> None:
    with subprocess.Popen(host.where.command(host.tagged("yes")), stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.read(2)
        writer.stdout.close()
        assert writer.wait(10) == -signal.SIGPIPE


def test_tags_are_there_before_the_first_instruction(host: Host, servers: Network) -> None:
    with Sniffer(servers.router, "enclave") as sniffer:
        done = host.exec("curl", "-sS", "--max-time", "5", f"http://{OUTSIDE.ip4}:443/")
        assert done.returncode == 7  # curl(1): failed to connect
        assert sniffer.frames() == []
    assert host.attempt(("tcp", str(OUTSIDE.ip4), 443), ("tcp", str(DATA_CENTRE.ip4), 443)) == ["EPERM", "ok"]


def test_several_classes_are_carried_together(host: Host) -> None:
    wanted = [("tcp", str(DATA_CENTRE.ip4), port) for port in (443, 5432)]
    assert host.attempt(*wanted, classes="eu,billing") == ["ok", "EPERM"]
    assert host.attempt(*wanted, classes="billing") == ["ok", "ok"]


def test_a_tagged_program_gains_classes_by_exec_and_never_drops_one(host: Host) -> None:
    wanted = json.dumps([("tcp", str(DATA_CENTRE.ip4), 5432)])
    inner = host.tagged(_PYTHON, "-IS", _CLIENT, wanted, classes="billing")
    assert json.loads(host.exec(*inner).stdout) == ["EPERM"]


def test_anyone_may_tag_themselves(host: Host) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    wanted = json.dumps([("tcp", str(OUTSIDE.ip4), 443), ("tcp", str(DATA_CENTRE.ip4), 443)])
    done = host.where.run([*nobody, *host.tagged(_PYTHON, "-IS", _CLIENT, wanted)])
    assert (json.loads(done.stdout), done.stderr) == (["EPERM", "ok"], "")
    assert status_of_self(host, prefix=nobody)["Uid"].split() == ["65534"] * 4


@pytest.mark.parametrize("words", [("tag", "1", "--class", "eu"), ("unload", "--reason", "a test")])
def test_what_is_for_root_is_refused_to_others(host: Host, words: tuple[str, ...]) -> None:
    done = host.where.run(["setpriv", "--reuid=65534", "--clear-groups", *host.command(*words)])
    assert done.returncode == 3
    assert "run it with sudo" in done.stderr


def test_capabilities_that_undo_enforcement_are_dropped(host: Host) -> None:
    lost = sum(1 << number for number in UNDOING.values())
    before = status_of_self(host, "--keep-capabilities")
    after = status_of_self(host)
    for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert int(after[kind], 16) == int(before[kind], 16) & ~lost
    assert int(before["CapEff"], 16) & lost == lost


def test_an_inherited_raw_socket_is_closed_and_reported(host: Host) -> None:
    with (
        host.where.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw,
        host.where.socket(socket.AF_PACKET, socket.SOCK_RAW) as packet,
        host.where.socket(socket.AF_INET, socket.SOCK_DGRAM) as harmless,
    ):
        passed = [raw.fileno(), packet.fileno(), harmless.fileno()]
        done = host.exec("ls", "/proc/self/fd", pass_fds=passed)
    assert set(map(str, passed)) & set(done.stdout.split()) == {str(passed[2])}
    for closed in passed[:2]:
        assert f" socket (descriptor {closed}), whose " in done.stderr


def test_an_inherited_socket_is_judged_by_the_tags_too(host: Host, servers: Network) -> None:
    """It was connected before, by somebody without tags."""
    send = "import socket; socket.socket(fileno={}).send(b'user data of a European')"
    with host.where.socket(socket.AF_INET) as sock, Sniffer(servers.router, "enclave") as sniffer:
        sock.connect((str(OUTSIDE.ip4), 443))
        sniffer.clear()
        host.exec(_PYTHON, "-ISc", send.format(sock.fileno()), pass_fds=[sock.fileno()])
        assert not sniffer.saw(b"user data")


def test_its_event_names_the_process_and_the_caller(host: Host) -> None:
    done = host.where.run(["setpriv", "--reuid=65534", "--clear-groups", *host.tagged("sh", "-c", "echo $$")])
    pid = done.stdout.strip()

    def found() -> list[dict[str, str]]:
        return [each["fields"] for each in host.notices("TAGGED") if each["fields"].get("pid") == pid]

    eventually(lambda: bool(found()), "the event is stored")
    assert found() == [{"pid": pid, "classes": "eu", "uid": "65534"}]


def test_own_failures_have_statuses_of_their_own(host: Host, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program\n")
    missing = host.exec("landfast-no-such-command")
    assert (missing.returncode, "not found" in missing.stderr) == (127, True)
    refused = host.exec(plain)
    assert (refused.returncode, "Permission denied" in refused.stderr) == (126, True)
    directory = host.exec(tmp_path)
    assert directory.returncode == 126


@pytest.mark.parametrize("classes", ["no-such-class", "eu,no-such-class", ","])
def test_an_unknown_class_starts_nothing(host: Host, tmp_path: Path, classes: str) -> None:
    done = host.where.run(host.tagged("touch", tmp_path / "started", classes=classes))
    assert done.returncode == 125
    assert not (tmp_path / "started").exists()
    assert "no-such-class" in done.stderr or "--class NAME" in done.stderr


def test_without_a_daemon_nothing_is_started(fresh: Host, tmp_path: Path) -> None:
    done = fresh.exec("touch", tmp_path / "started")
    assert done.returncode == 125
    assert not (tmp_path / "started").exists()
    assert f"landfast-agent --instance {fresh.instance.name} run" in done.stderr


def test_one_user_cannot_keep_the_agent_from_the_others(host: Host, tmp_path: Path) -> None:
    flood = "import socket, sys, time; kept = [socket.socket(1) for _ in range(900)]\n"
    flood += f"for each in kept: each.connect({str(host.instance.control_socket)!r})\nprint('ready', flush=True)\n"
    flood += "time.sleep(100)"
    nobody, other = (("setpriv", f"--reuid={uid}", "--clear-groups") for uid in (65534, 65533))
    with Program([*nobody, _PYTHON, "-ISc", flood], tmp_path / "log") as program:
        program.ready(lambda: "ready" in program.output)
        assert host.json("status")["daemon"]
        assert host.where.run([*other, *host.tagged("true")]).returncode == 0
        refused = host.where.run([*nobody, *host.tagged("true")])
        assert (refused.returncode, "user 65534 has 64 connections" in refused.stderr) == (125, True)
    eventually(lambda: host.where.run([*nobody, *host.tagged("true")]).returncode == 0, "the others are closed")


def number_again(pid: int, argv: Sequence[str], log: Path) -> Program:
    """A program that gets the number of a process that has ended, as happens when the numbers have gone round."""
    for _ in range(1000):
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        program = Program(argv, log)
        if program.pid == pid:
            return program
        program.kill()
    raise RuntimeError(f"nobody got the number {pid} again")


def test_nobody_is_tagged_by_a_connection_that_outlived_its_maker(host: Host, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        maker = os.fork()
        if maker == 0:
            connection.connect(str(host.instance.control_socket))
            os._exit(0)
        os.waitpid(maker, 0)
        with number_again(maker, ["sleep", "100"], tmp_path / "log") as stranger:
            connection.sendall(b'{"operation": "exec", "classes": ["eu"]}\n')
            assert b"has ended" in connection.recv(1000)
            assert stranger.pid not in [row["pid"] for row in host.json("ps")]
