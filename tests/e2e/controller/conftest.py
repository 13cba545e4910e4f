"""One controller for each test module."""

from collections.abc import Iterator

import pytest

from tests.e2e.controller.deployment import Deployment


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """A running controller of the module's own."""
    made = Deployment.make()
    try:
        yield made.start()
    finally:
        made.remove()
