"""Replay against the kernel: what it says of recorded flows is what the kernel decided, and what it would decide."""

import socket
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from landfast import batch as batches
from landfast.event import Event
from landfast.flows import Omission, Omitted, Peer, Sighting, sightings
from landfast.policy import canonical
from landfast.policy.numbering import RuleKind
from landfast.policy.tables import compile_policy
from landfast.replay import Change, Replay
from landfast.verdict import Reason, Verdict
from landfast_agent import drafts
from landfast_agent.drafts import Frame, Knowledge
from landfast_agent.listeners import Listeners
from landfast_agent.policy_store import PolicyStore
from landfast_agent.processes import Processes
from landfast_agent.unix_names import UnixNames
from tests.testbed import DATA_CENTRE, ENCLAVE, OUTSIDE, Network
from tests.testbed.plane import Attempt, Plane

ECHO = Path(__file__).parents[1] / "testbed" / "echo.py"
IN4, IN6 = str(DATA_CENTRE.ip4), str(DATA_CENTRE.ip6)
OUT4, OUT6 = str(OUTSIDE.ip4), str(OUTSIDE.ip6)
OWN4, OWN6 = str(ENCLAVE.ip4), str(ENCLAVE.ip6)
SERVED = 9000

BEFORE = """
version: 1
data_classes:
  eu:
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443, udp/8000-8100, icmp], reason: data centre}
      - {to: "2001:db8:20::/64", ports: [tcp/443, udp/8000-8100, icmp], reason: data centre}
    serve:
      - {from: 10.20.0.0/16, ports: [tcp/9000, udp/9000], reason: moderation tools}
    peers:
      - {to: 127.0.0.53/32, ports: [tcp/9000, udp/9000], reason: the resolver}
      - {unix: "@landfast-replay", reason: readiness}
  billing:
    allow:
      - {to: 10.20.0.10/32, ports: [tcp/443, tcp/5432], reason: ledger}
  watched:
    mode: audit
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443], reason: data centre}
  open:
    loopback: allow
  shut:
    loopback: deny
"""

#: Everything is another way round: who was allowed is not, who was refused is, classes and rules move, one expires.
AFTER = """
version: 1
data_classes:
  another:
    mode: audit
  eu:
    allow:
      - {to: 203.0.113.0/24, ports: [any], reason: outside}
      - {to: "2001:db8:20::/64", ports: [tcp/443], reason: over, expires: 2020-01-01T00:00:00Z}
      - {to: 10.20.0.10/32, ports: [udp/7000-8000], reason: a narrower range}
    serve:
      - {from: 203.0.113.0/24, ports: [tcp/9000, udp/9000], reason: others}
    peers:
      - {to: 127.0.0.0/8, ports: [tcp/9000], reason: any of them}
  billing:
    mode: audit
  watched:
    allow:
      - {to: "::/0", ports: [any], reason: IPv6}
  shut:
    loopback: deny
    peers:
      - {to: "::1/128", ports: [tcp/9000], reason: named now}
"""

TAGS: list[tuple[str, ...]] = [("eu",), ("billing",), ("watched",), ("eu", "billing"), ("watched", "billing")]
ELSEWHERE: list[Attempt] = [
    *[(way, address, 443) for address in (IN4, IN6, OUT4, OUT6) for way in ("tcp", "udp", "udp_connected", "ping")],
    *[(way, IN4, port) for port in (5432, 7999, 8000, 8100, 8101) for way in ("tcp", "udp")],
    ("raw", OUT4, 0),
    ("udplite", OUT4, 0),
]
HERE: list[Attempt] = [
    (way, address, SERVED) for address in ("127.0.0.53", "127.0.0.1", "::1", OWN4, OWN6) for way in ("tcp", "udp")
]
KNOCK_UNIX = """
import socket
for name in ("\\0landfast-replay", "\\0landfast-other"):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect_ex(name)
"""


class Recording:
    """What the kernel recorded, as the log would hold it."""

    def __init__(self, plane: Plane, directory: Path) -> None:
        self._plane, self._store = plane, PolicyStore(directory)
        self.omitted = Omitted()

    def apply(self, text: str) -> Replay:
        """Makes a policy the active one; and what replays it."""
        self._plane.apply(text)
        self._plane.events()
        policy = self._plane.policy
        assert policy is not None
        data = canonical.encode(policy)
        self._store.write(policy.version, data)
        return Replay(policy, compile_policy(policy, canonical.digest(data)), time.time())

    def take(self) -> list[Sighting]:
        reading = self._plane.ring.read(1 << 20)
        self._plane.ring.release(reading.position)
        maps = self._plane.maps
        known = Knowledge(Processes(maps), self._store, Listeners(maps), UnixNames(maps))
        boot = "0c5b4f0e-5d0a-4f0e-9d38-6d4c8a1f2b3c"
        found = []
        for made in drafts.make(reading.records, [], Frame(boot, 0, [], 0, (0, b"")), known):
            made.host, made.first_sequence = "hall-1", 1
            view = batches.decode(batches.encode(made))
            found += sightings(view, self.omitted)
            assert all(isinstance(item, Event) for _, item in view)
        return found


@pytest.fixture
def recording(plane: Plane, tmp_path: Path) -> Recording:
    from landfast_agent import libbpf

    for address in (ENCLAVE.ip4, ENCLAVE.ip6):
        packed = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
        libbpf.map_update(plane.maps.fd("local_addresses"), packed, (1).to_bytes(8, "little"))
    return Recording(plane, tmp_path / "policies")


def serve(plane: Plane, network: Network, classes: Sequence[str], callers: Sequence[Sequence[str]]) -> None:
    """A server on the enclave host is called from the host itself, by each of the callers, and from elsewhere."""
    argv = ["/usr/bin/python3", "-IS", ECHO, str(SERVED)]
    with plane.gated(network["enclave"], argv, classes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for caller in callers:
            plane.attempt(network["enclave"], HERE, caller)
        for site in ("datacentre", "outside"):
            plane.attempt(network[site], [(way, own, SERVED) for way in ("tcp", "udp") for own in (OWN4, OWN6)], [])


def traffic(plane: Plane, network: Network) -> None:
    """Real flows of every kind that an allowlist judges."""
    for classes in TAGS:
        plane.attempt(network["enclave"], ELSEWHERE, classes)
    serve(plane, network, [], [["eu"], ["shut"]])
    serve(plane, network, ["eu"], [["eu"], []])
    serve(plane, network, ["shut"], [["shut"]])
    with socket.socket(socket.AF_UNIX) as named:
        named.bind("\0landfast-replay")
        named.listen()
        plane.run(network["enclave"], [sys.executable, "-IS", "-c", KNOCK_UNIX], ["eu"])


def test_replay_says_of_each_recorded_decision_what_the_kernel_said(
    plane: Plane, servers: Network, recording: Recording
) -> None:
    same = recording.apply(BEFORE)
    traffic(plane, servers)
    seen = recording.take()
    judged = [same.judge(each) for each in seen]
    pairs = zip(seen, judged, strict=True)
    assert [(each, said) for each, said in pairs if (said.verdict, said.reason) != (each.verdict, each.reason)] == []
    assert all(said.certain and said.change == Change.NONE for said in judged)
    assert {each.verdict for each in seen} == set(Verdict)
    assert {each.reason for each in seen} >= {
        Reason.RULE,
        Reason.SERVE,
        Reason.PEER,
        Reason.SAME_CLASS,
        Reason.NO_RULE,
        Reason.UNTAGGED_PEER,
    }
    assert {each.flow.kind for each in seen} == set(RuleKind)
    assert {each.flow.unix_name for each in seen} == {"", "@landfast-replay", "@landfast-other"}
    assert recording.omitted[Omission.NOT_JUDGED] >= 2 * len(TAGS)  # raw and UDP-Lite sockets


def test_replay_says_what_the_kernel_will_say_under_another_policy(
    plane: Plane, servers: Network, recording: Recording
) -> None:
    """The same flows twice: what the second policy was foretold to say of the first ones is what it says."""
    recording.apply(BEFORE)
    traffic(plane, servers)
    before = recording.take()
    foretold, said = defaultdict(set), defaultdict(set)
    candidate = recording.apply(AFTER)
    judged = [(seen, candidate.judge(seen)) for seen in before]
    open_flows = {_flow(seen) for seen, answer in judged if not answer.certain}
    assert {seen.peer for seen, answer in judged if not answer.certain} == {Peer.UNKNOWN}
    for seen, answer in judged:
        foretold[_flow(seen)].add((answer.verdict, answer.reason))
    traffic(plane, servers)
    for seen in recording.take():
        said[_flow(seen)].add((seen.verdict, seen.reason))
    both = (foretold.keys() & said.keys()) - open_flows
    assert {flow: foretold[flow] for flow in both} == {flow: said[flow] for flow in both}
    assert len(both) > 0.9 * len(said)
    assert {verdict for flow in both for verdict, _ in said[flow]} == set(Verdict)


def _flow(seen: Sighting) -> tuple[object, ...]:
    """What both runs have in common: not the process that made it, nor a port that was free just then."""
    flow = seen.flow
    calling = flow.kind != RuleKind.SERVE or flow.port == SERVED
    return flow.classes, flow.kind, flow.remote, flow.protocol, flow.port if calling else 0, flow.unix_name
