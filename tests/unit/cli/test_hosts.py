"""Hosts as they are printed."""

from landfast.v1.agent_pb2 import PolicyState
from landfast.v1.fleet_pb2 import Host
from landfast_cli import hosts


def test_modes_are_those_that_the_host_has_read_from_its_kernel() -> None:
    state = PolicyState(version=7, enforced=["eea-user-data"], audited=["billing\x1b[2J"])
    host = Host(name="hall-1", policy_state=state)
    assert hosts.document(host)["modes"] == {"eea-user-data": "enforce", "billing\\x1b[2J": "audit"}
    assert "classes     eea-user-data (enforce), billing\\x1b[2J (audit)" in list(hosts.description(host))
    assert "classes     -" in list(hosts.description(Host(name="hall-2")))
