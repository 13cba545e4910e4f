"""One controller for all tests of this directory, others for modules that read all of its log or tests that kill it."""

from collections.abc import Iterator

import pytest

from tests.e2e.controller.deployment import Deployment


@pytest.fixture(scope="session")
def fresh() -> Iterator[Deployment]:
    """What `init` makes; never run itself."""
    made = Deployment.make()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def deployment(fresh: Deployment) -> Iterator[Deployment]:
    """A running controller. Tests share it, so they take names that nobody else has."""
    yield from _running(fresh.copy())


@pytest.fixture(scope="module")
def unshared(fresh: Deployment) -> Iterator[Deployment]:
    """A running controller of one module, whose log holds nothing else."""
    yield from _running(fresh.copy())


@pytest.fixture
def fragile(fresh: Deployment) -> Iterator[Deployment]:
    """A running controller of the test's own, to be killed."""
    yield from _running(fresh.copy())


def _running(made: Deployment) -> Iterator[Deployment]:
    try:
        yield made.start()
    finally:
        made.remove()
