"""One policy at a time, also while it is replaced, while it expires, and while the programs themselves are replaced."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import cutter, image, loader, watch
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Sniffer, eventually
from tests.testbed.plane import Plane

IN4, OUT4 = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)

HEAD = "version: 1\ndata_classes:\n  eu:\n    allow:\n"
RULE = "      - {to: 10.20.0.0/16, ports: [tcp/443, udp/443], reason: data centre}\n"
OTHER = "      - {to: 192.0.2.0/24, ports: [tcp/443], reason: something else}\n"
OPEN, CLOSED = HEAD + RULE + OTHER, HEAD + OTHER

# Asks an echo server some 300 times a second, which a sniffer keeps up with; at the end of its input says how often it
# was answered, refused, and not answered.
PULSE = """
import json, select, socket, sys
address, port = sys.argv[1], int(sys.argv[2])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(1)
answered = refused = lost = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.003)[0]:
    try:
        sock.sendto(b"user data", (address, port))
        sock.recv(100)
        answered += 1
    except PermissionError:
        refused += 1
    except TimeoutError:
        lost += 1
print(json.dumps([answered, refused, lost]), flush=True)
"""

# A conversation over one TCP connection; each line of input is a turn.
TALK = """
import socket, sys
sock = socket.create_connection((sys.argv[1], 443))
sock.settimeout(3)
print("ready", flush=True)
for line in sys.stdin:
    try:
        sock.sendall(b"user data")
        print(sock.recv(100).decode() or "closed", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


def _python(program: str, *arguments: str) -> list[str]:
    return ["/usr/bin/python3", "-c", program, *arguments]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _say(process: subprocess.Popen[str], line: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


@contextmanager
def _pulse(plane: Plane, network: Network, address: str) -> Iterator[list[int]]:
    """Traffic of a tagged process for as long as the context lasts: [answered, refused, lost] when it is over."""
    result: list[int] = []
    with plane.gated(network["enclave"], _python(PULSE, address, "443"), ["eu"]) as process:
        assert _line(process) == "ready"
        yield result
        _say(process)
        result += json.loads(_line(process))


@contextmanager
def _both_pulses(plane: Plane, network: Network) -> Iterator[tuple[list[int], list[int]]]:
    """Traffic to the allowed place and to the forbidden one, of which the wire shows nothing."""
    with Sniffer(network.router, "enclave") as sniffer:
        with _pulse(plane, network, IN4) as allowed, _pulse(plane, network, OUT4) as forbidden:
            yield allowed, forbidden
        assert sniffer.frames(to=f"{OUT4}/32") == []
    assert forbidden[0] == forbidden[2] == 0


def test_a_revoked_rule_stops_an_established_connection(plane: Plane, servers: Network) -> None:
    plane.apply(OPEN)
    with (
        plane.gated(servers["enclave"], _python(TALK, IN4), ["eu"]) as client,
        Sniffer(servers.router, "enclave") as sniffer,
    ):
        assert _line(client) == "ready"
        _say(client)
        assert _line(client) == "user data"
        sniffer.clear()
        plane.events()
        version = plane.apply(CLOSED).version
        revoked = time.monotonic()
        _say(client)
        assert _line(client) == "TimeoutError"
        assert sniffer.last(f"{IN4}/32") <= revoked, "not even an acknowledgement leaves"
    refusal = next(e for e in plane.events(Stage.EGRESS) if e.verdict == Verdict.DENY)
    assert (refusal.reason, refusal.version, str(refusal.remote)) == (Reason.NO_RULE, version, IN4)


def test_a_refused_connection_is_aborted_and_its_listener_is_not(plane: Plane, servers: Network) -> None:
    """What the daemon does with the records, on the very sockets."""
    plane.apply(OPEN)
    with plane.gated(servers["enclave"], _python(TALK, IN4), ["eu"]) as client:
        assert _line(client) == "ready"
        plane.apply(CLOSED)
        plane.events()
        _say(client)
        eventually(lambda: bool(plane.ring.waiting), "a record of the refusal")
        reading = plane.ring.read(1000)
        acts = watch.pick(reading.records)
        assert cutter.cut(acts.refused, acts.senders) == acts.refused
        began = time.monotonic()
        assert _line(client) == "ConnectionAbortedError"
        assert time.monotonic() - began < 1
    assert cutter.cut({1 << 60}, [os.getpid()]) == set()


def test_100_switches_under_traffic_give_not_one_wrong_verdict(plane: Plane, servers: Network) -> None:
    plane.apply(OPEN)
    with _both_pulses(plane, servers) as (allowed, forbidden):
        for number in range(100):
            extra = f"      - {{to: 198.51.100.{number}/32, ports: [tcp/1], reason: another version}}\n"
            plane.apply(OPEN + extra)
            plane.events()
    assert allowed[0] > 100
    assert allowed[1:] == [0, 0]
    assert forbidden[1] > 100


def test_a_rule_expires_on_time_without_anybody_watching(plane: Plane, servers: Network) -> None:
    """Nothing but the kernel runs between here and the expiry; the connection is older than that."""
    expiry = (datetime.now(UTC) + timedelta(seconds=7)).replace(microsecond=0)
    timed = RULE.replace("reason:", f"expires: {expiry.isoformat()}, reason:".replace("+00:00", "Z"))
    plane.apply(HEAD + timed + OTHER)
    with (
        plane.gated(servers["enclave"], _python(TALK, IN4), ["eu"]) as client,
        Sniffer(servers.router, "enclave") as sniffer,
    ):
        with _pulse(plane, servers, IN4) as pulse:
            assert _line(client) == "ready"
            time.sleep(max(expiry.timestamp() - time.time(), 0))
            expired = time.monotonic()
            _say(client)
            assert _line(client) == "TimeoutError"
        assert sniffer.last(f"{IN4}/32") < expired + 0.05
    assert pulse[0] > 10, "it was allowed until then"
    assert pulse[1] > 10
    refusals = [e for e in plane.events() if e.verdict == Verdict.DENY]
    assert {e.reason for e in refusals} == {Reason.EXPIRED}


def test_programs_are_replaced_under_traffic(plane: Plane, servers: Network) -> None:
    plane.apply(OPEN)
    compiled = image.obtain(plane.instance.images)
    with _both_pulses(plane, servers) as (allowed, forbidden):
        before = {state.prog_id for state in loader.inspect(plane.instance)} - {0}
        for number in range(3):
            loader.load(replace(compiled, key=f"version-{number}"), plane.instance, 1 << 20)
            plane.events()
        after = loader.inspect(plane.instance)
        assert before.isdisjoint(state.prog_id for state in after)
        assert not [state for state in after if state.problem]
    assert allowed[0] > 10
    assert allowed[1:] == [0, 0]
    assert forbidden[1] > 10


def test_a_load_that_is_killed_leaves_enforcement_whole(plane: Plane, servers: Network) -> None:
    plane.apply(OPEN)
    compiled, chance = image.obtain(plane.instance.images), random.Random(7)
    with _both_pulses(plane, servers) as (allowed, forbidden):
        for number in range(6):
            _load_and_kill(plane, replace(compiled, key=f"killed-{number}"), chance.uniform(0, 0.8))
            plane.events()
    assert allowed[0] > 10
    assert allowed[1:] == [0, 0]
    assert forbidden[1] > 10
    loader.load(compiled, plane.instance, 1 << 20)
    assert loader.is_loaded(plane.instance)


def _load_and_kill(plane: Plane, compiled: image.Image, after_s: float) -> None:
    child = multiprocessing.get_context("fork").Process(target=loader.load, args=(compiled, plane.instance, 1 << 20))
    child.start()
    time.sleep(after_s)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
