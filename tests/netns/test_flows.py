"""What sockets of tagged processes have sent and received, to the byte."""

import json
import socket
from typing import Any

import pytest

from landfast.event import Event
from landfast.verdict import Reason, Stage, Verdict
from tests.testbed import DATA_CENTRE, ENCLAVE, OUTSIDE, Network
from tests.testbed.plane import Plane
from tests.testbed.waiting import eventually

IN4, IN6 = str(DATA_CENTRE.ip4), str(DATA_CENTRE.ip6)

POLICY = """
version: 1
data_classes:
  eu:
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443, udp/8000-8100, icmp], reason: data centre}
      - {to: "2001:db8:20::/64", ports: [tcp/443, udp/8000-8100, icmp], reason: data centre}
    serve:
      - {from: 10.20.0.0/16, ports: [tcp/9443], reason: asked from there}
  watched:
    mode: audit
"""

AUDITED = """
version: 1
data_classes:
  watched:
    mode: audit
    allow:
      - {to: 10.20.0.0/16, ports: [udp/8000-8100], reason: data centre}
"""

#: Arguments: JSON of (kind, address, port, bytes, pause before in s) in order, all on one socket unless TCP.
CLIENT = """
import json, socket, sys, time
kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
steps = json.loads(sys.argv[1])
kind, address = steps[0][:2]
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kinds[kind]) as sock:
    sock.settimeout(5)
    if kind == "tcp":
        sock.connect((address, steps[0][2]))
    for _, address, port, size, pause in steps:
        time.sleep(pause)
        sock.sendall(b"x" * size) if kind == "tcp" else sock.sendto(b"x" * size, (address, port))
        while size:
            size -= len(sock.recv(65536))
"""

#: Arguments: port. Accepts one connection, reads all of it, and answers twice as much.
SERVER = """
import socket, sys
with socket.create_server(("", int(sys.argv[1]))) as listener:
    print("ready", flush=True)
    connection = listener.accept()[0]
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    connection.sendall(received * 2)
    connection.close()
"""

Step = tuple[str, str, int, int, float]


def python(program: str, *arguments: object) -> list[str]:
    return ["/usr/bin/python3", "-IS", "-c", program, *map(str, arguments)]


def flows(plane: Plane, count: int) -> list[Event]:
    """The next records of flows; the last ones of TCP come after the program has ended."""
    found: list[Event] = []

    def enough() -> bool:
        found.extend(plane.events(Stage.FLOW))
        return len(found) >= count

    eventually(enough, f"{count} records of flows")
    return found


def exchange(plane: Plane, servers: Network, *steps: Step, classes: tuple[str, ...] = ("eu",)) -> None:
    plane.apply(POLICY)
    plane.events()
    plane.run(servers["enclave"], python(CLIENT, json.dumps(steps)), classes)


def sent_again(servers: Network) -> int:
    """TCP segments that both ends have sent again, which count again. Seldom, on a machine that is busy."""
    texts = [servers[name].run(["cat", "/proc/net/snmp"]).stdout for name in ("enclave", "datacentre")]
    rows = [[line.split() for line in text.splitlines() if line.startswith("Tcp:")] for text in texts]
    return sum(int(numbers[names.index("RetransSegs")]) for names, numbers in rows)


def exact_flow(plane: Plane, servers: Network, *steps: Step) -> Event:
    """The one flow of an exchange in which nothing was sent again."""
    while True:
        before = sent_again(servers)
        exchange(plane, servers, *steps)
        (flow,) = flows(plane, 1)
        if sent_again(servers) == before:
            return flow


def traffic(item: Event) -> tuple[int, int]:
    assert item.traffic
    return item.traffic.bytes_out, item.traffic.bytes_in


@pytest.mark.parametrize("address", [IN4, IN6, f"::ffff:{IN4}"])
@pytest.mark.parametrize(("kind", "port"), [("tcp", 443), ("udp", 8050)])
def test_bytes_both_ways_are_exact(plane: Plane, servers: Network, kind: str, port: int, address: str) -> None:
    sizes = (1, 1009, 30011)
    flow = exact_flow(plane, servers, *((kind, address, port, size, 0) for size in sizes))
    assert traffic(flow) == (sum(sizes), sum(sizes))
    assert (str(flow.remote), flow.remote_port) == (address.removeprefix("::ffff:"), port)
    assert (flow.verdict, flow.reason) == (Verdict.ALLOW, Reason.RULE)
    assert flow.rule > 0
    assert plane.policy
    assert flow.version == plane.policy.version
    assert flow.traffic
    assert 0 < flow.traffic.since_ns < flow.time_ns
    assert flow.traffic.packets_out >= len(sizes) <= flow.traffic.packets_in


def test_megabytes_in_large_segments_are_exact(plane: Plane, servers: Network) -> None:
    steps: list[Step] = [("tcp", IN4, 443, 60_013, 0)] * 101
    flow = exact_flow(plane, servers, *steps)
    assert traffic(flow) == (101 * 60_013, 101 * 60_013)


def test_a_flow_names_the_socket_process_and_classes_of_its_decision(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.events()
    plane.run(servers["enclave"], python(CLIENT, json.dumps([("tcp", IN4, 443, 23, 0)])), ["eu"])
    seen: list[Event] = []
    eventually(lambda: seen.extend(plane.events()) or any(e.stage == Stage.FLOW for e in seen), "the flow is recorded")
    (connect,), (flow,) = ([e for e in seen if e.stage == stage] for stage in (Stage.CONNECT, Stage.FLOW))
    assert (flow.cookie, flow.tgid, flow.tags, flow.image) == (
        connect.cookie, connect.tgid, connect.tags, connect.image,
    )  # fmt: skip


def test_what_a_tagged_server_answers_is_a_flow_of_the_connection(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.events()
    with plane.gated(servers["enclave"], python(SERVER, 9443), ["eu"]) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        with servers["datacentre"].socket(socket.AF_INET) as client:
            client.settimeout(5)
            client.connect((str(ENCLAVE.ip4), 9443))
            client.sendall(b"y" * 4001)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        (flow,) = flows(plane, 1)
    assert traffic(flow) == (8002, 4001)
    assert (flow.serving, flow.local_port, str(flow.remote), flow.reason) == (True, 9443, IN4, Reason.SERVE)


def test_nobody_elses_bytes_are_counted(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.events()
    for kind, port in (("tcp", 443), ("udp", 8050)):
        plane.run(servers["enclave"], python(CLIENT, json.dumps([(kind, IN4, port, 1009, 0)])), [])
    exchange(plane, servers, ("udp", IN4, 8050, 7, 0))
    assert [traffic(flow) for flow in flows(plane, 1)] == [(7, 7)]


def test_what_is_refused_is_no_flow(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.events()
    out = str(OUTSIDE.ip4)
    assert plane.attempt(servers["enclave"], [("tcp", out, 443), ("udp", out, 8050), ("udp_connected", out, 8050)])
    assert plane.events(Stage.FLOW) == []


def test_audit_mode_counts_what_would_have_been_denied(plane: Plane, servers: Network) -> None:
    exchange(plane, servers, ("tcp", str(OUTSIDE.ip4), 443, 101, 0), classes=("watched",))
    (flow,) = flows(plane, 1)
    assert (traffic(flow), flow.verdict) == ((101, 101), Verdict.WOULD_DENY)


def test_a_socket_that_turns_to_another_address_ends_a_flow(plane: Plane, servers: Network) -> None:
    exchange(plane, servers, ("udp", IN4, 8050, 11, 0), ("udp", IN4, 8100, 13, 1.2), ("udp", IN4, 8100, 17, 0))
    first, second = flows(plane, 2)
    assert [(flow.remote_port, *traffic(flow)) for flow in (first, second)] == [(8050, 11, 11), (8100, 30, 30)]
    assert second.traffic
    assert second.traffic.since_ns == first.time_ns


def test_a_socket_that_turns_all_the_time_has_one_flow_with_several(plane: Plane, servers: Network) -> None:
    steps: list[Step] = [("udp", IN4, port, 11, 0) for port in (8050, 8100) * 50]
    exchange(plane, servers, *steps)
    (flow,) = flows(plane, 1)
    assert (traffic(flow), flow.remote, flow.remote_port, flow.rule) == ((1100, 1100), None, 0, 0)


def test_one_that_would_be_denied_among_several_is_told(plane: Plane, servers: Network) -> None:
    steps: list[Step] = [("udp", IN4, port, 11, 0) for port in (8050, 8100, 8101, 8050, 8100)]
    plane.apply(AUDITED)
    plane.events()
    plane.run(servers["enclave"], python(CLIENT, json.dumps(steps)), ["watched"])
    (flow,) = flows(plane, 1)
    assert (traffic(flow), flow.verdict, flow.remote) == ((55, 55), Verdict.WOULD_DENY, None)


@pytest.mark.long
def test_a_flow_that_goes_on_is_recorded_about_once_a_minute(plane: Plane, servers: Network) -> None:
    steps: list[Any] = [("tcp", IN4, 443, 11, 0.5) for _ in range(130)]
    exchange(plane, servers, *steps)
    first, second = flows(plane, 2)
    assert traffic(first)[0] + traffic(second)[0] == 130 * 11
    assert first.cookie == second.cookie
