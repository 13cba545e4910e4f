"""The data plane and the servers that the tests of this directory talk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed import Network, echo_server
from tests.testbed.names import owned
from tests.testbed.plane import Plane

PORTS = (22, 443, 444, 5432, 7999, 8000, 8050, 8100, 8101)


@pytest.fixture(scope="module")
def servers(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """The network with echo servers in the data centre and outside."""
    network["enclave"].sysctl("net.ipv4.ping_group_range=0 2147483647")
    logs: Path = tmp_path_factory.mktemp("servers")
    with (
        echo_server(network["datacentre"], logs / "datacentre.log", PORTS),
        echo_server(network["outside"], logs / "outside.log", PORTS),
    ):
        yield network


@pytest.fixture(scope="module")
def loaded() -> Iterator[Plane]:
    with Plane(owned("t")) as made:
        yield made


@pytest.fixture
def plane(loaded: Plane) -> Plane:
    """The module's data plane with an empty ring."""
    loaded.events()
    return loaded
