"""The canary of a running agent: seen where it is looked for, in no statistics, and heard when it gets through."""

from collections.abc import Iterator

import pytest

from landfast.policy import layout
from landfast_agent import libbpf
from landfast_agent.maps import Maps
from tests.e2e.agent.host import Host
from tests.testbed import Network, eventually
from tests.testbed.leftovers import remove_instance

ALARM_S = 30  # for two rounds, on a busy machine


@pytest.fixture(scope="module")
def host(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose canary tries every second."""
    made = Host(network["enclave"], tmp_path_factory.mktemp("host"))
    config = made.directory / "agent.toml"
    config.write_text(f'policy = "{made.policy}"\ncanary_seconds = 1\n')
    try:
        with made.start("--config", config):
            eventually(lambda: bool(made.notices("CANARY_PASSED")), "the canary was refused", ALARM_S)
            yield made
    finally:
        remove_instance(made.instance.name)


def test_it_is_refused_in_each_enforced_class(host: Host) -> None:
    assert host.notices("CANARY_PASSED")[0]["fields"] == {"attempts": "12", "spared": ""}
    told = host.json("status")["daemon"]["canary"]
    assert (told["refusals"], told["spared"]) == (12, [])
    assert told["passed_seconds_ago"] < ALARM_S
    assert "12 attempts refused and recorded" in host.run("status").stdout


def test_its_events_are_evidence_and_shown_on_demand_alone(host: Host) -> None:
    shown = [event for event in host.events("--canary") if event.get("canary")]
    assert {(event["stage"], *event["classes"]) for event in shown} == {
        (stage, name) for stage in ("CONNECT", "SENDMSG", "EGRESS") for name in ("eu", "billing")
    }
    assert all((event["verdict"], event["process"]["uid"]) == ("DENY", 65534) for event in shown)
    assert [event for event in host.events() if event["kind"] == "decision"] == []
    assert host.events("--denied") == []


def test_it_does_not_count(host: Host) -> None:
    seen = host.json("status")["counters"]["connect"]["canary"]
    eventually(lambda: host.json("status")["counters"]["connect"]["canary"] > seen, "another round", ALARM_S)
    counters = host.json("status")["counters"]
    for stage in ("connect", "sendmsg", "egress"):
        assert counters[stage]["canary"] > 0
        assert [counters[stage][name] for name in ("decided", "denied", "submitted", "lost")] == [0] * 4


def test_it_raises_the_alarm_when_it_gets_through(host: Host) -> None:
    """A class is put into audit mode again and again: the agent mends it every few seconds only."""
    with Maps(host.instance) as maps:
        fd, at = maps.fd("policies"), layout.POLICY.offset("audit")

        def alarmed() -> bool:
            slot = (maps.control.get("generation") % 2).to_bytes(4, "little")
            value = libbpf.map_lookup(fd, slot, layout.POLICY.size) or b""
            libbpf.map_update(fd, slot, value[:at] + b"\xff" * 8 + value[at + 8 :])
            done = host.run("status")
            return done.returncode == 1 and "problem: canary: class eu: " in done.stdout

        eventually(alarmed, "the alarm", ALARM_S)
    assert "was not refused" in host.notices("CANARY_FAILED")[0]["fields"]["what"]
    eventually(lambda: host.run("status").returncode == 0, "all is well again", ALARM_S)
    assert len(host.notices("CANARY_PASSED")) == 2
