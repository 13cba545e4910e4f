"""A running agent for each test module, with servers to talk to; and one for each test that stops or breaks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent.host import Host, running
from tests.testbed import Network, echo_server
from tests.testbed.leftovers import remove_instance

PORTS = (443, 5432)


@pytest.fixture(scope="module")
def servers(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """The network with echo servers in the data centre and outside."""
    logs: Path = tmp_path_factory.mktemp("servers")
    with (
        echo_server(network["datacentre"], logs / "datacentre.log", PORTS),
        echo_server(network["outside"], logs / "outside.log", PORTS),
    ):
        yield network


@pytest.fixture(scope="module")
def host(servers: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose agent runs with a policy. Tests share it and leave it as it is."""
    with running(servers["enclave"], tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest.fixture
def fresh(network: Network, tmp_path: Path) -> Iterator[Host]:
    """A host of the test's own, not started."""
    made = Host(network["enclave"], tmp_path)
    yield made
    remove_instance(made.instance.name)
