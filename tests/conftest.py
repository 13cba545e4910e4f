"""What every test may ask for, and what the kernel must offer before a test of enforcement means anything."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from landfast_agent import image
from landfast_agent.errors import Unavailable
from landfast_agent.instance import Instance
from tests.testbed import Cgroup, Network, owned
from tests.testbed.leftovers import mine, remove_leftovers

#: The machine may be slow.
settings.register_profile("landfast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("landfast")

_KERNEL_TESTS = ("bpf", "netns", "e2e", "fault", "load", "vm")
_DATA_PLANE_TESTS = ("bpf", "netns", "e2e")
_ROOT = Path(__file__).parent
_COMPILING = Path(tempfile.gettempdir()) / "landfast-compiling.lock"


def _directory(item: pytest.Item) -> str:
    return item.path.relative_to(_ROOT).parts[0]


def _missing() -> str | None:
    """What is missing for tests in the kernel, with its remedy."""
    if os.geteuid() != 0:
        return "root is needed: run as root, or `make test-unit`"
    if not os.path.ismount("/sys/fs/bpf"):
        return "/sys/fs/bpf is not mounted: make setup"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the kernel fail, and are not skipped, where they cannot run: a skipped one proves nothing."""
    if any(_directory(item) in _KERNEL_TESTS for item in items) and (missing := _missing()):
        raise pytest.UsageError(missing)


@pytest.fixture(scope="session", autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Removes what killed sessions left, and afterwards what this one did. Other living sessions keep theirs."""
    if os.geteuid() == 0:
        remove_leftovers("lft", "t")
    yield
    if os.geteuid() == 0:
        remove_leftovers("lft", "t", mine)


@pytest.fixture(scope="session", autouse=True)
def _compiled(request: pytest.FixtureRequest) -> None:
    """The first of those that run side by side compiles the data plane for all. If it cannot, the tests tell why."""
    if any(_directory(item) in _DATA_PLANE_TESTS for item in request.session.items):
        with _COMPILING.open("w") as lock, suppress(Unavailable):
            fcntl.flock(lock, fcntl.LOCK_EX)
            image.obtain(Instance().images)


@pytest.fixture
def instance() -> str:
    """A name for an instance of the agent that is this test's own."""
    return owned("t")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The network of enclave, data centre, outside and controller, one for each test module."""
    with Network() as made:
        yield made


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    """A cgroup that is this test's own."""
    with Cgroup() as made:
        yield made
