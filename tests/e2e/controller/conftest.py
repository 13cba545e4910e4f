"""One controller for all tests of this directory, and one for each test that kills it."""

from collections.abc import Iterator

import pytest

from tests.e2e.controller.deployment import Deployment


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """A running controller. Tests share it, so they take names that nobody else has."""
    made = Deployment.make()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def fragile() -> Iterator[Deployment]:
    """A running controller of the test's own, to be killed."""
    made = Deployment.make()
    try:
        yield made.start()
    finally:
        made.remove()
