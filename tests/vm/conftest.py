"""Tests of the tier with BPF LSM, on kernels that offer it: `make test-kernels` runs them in an emulated machine."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.testbed import Network
from tests.testbed.names import owned
from tests.testbed.namespace import Namespace
from tests.testbed.plane import Plane

_HERE = Path(__file__).parent
_PYTHON = "/usr/bin/python3"


class Holder(NamedTuple):
    """A running holder.py: where its sockets are, its number, and the address of its four bytes."""

    directory: Path
    pid: int
    address: int


class Place:
    """A namespace of the test network, and the data plane."""

    def __init__(self, plane: Plane, namespace: Namespace) -> None:
        self.plane, self.namespace = plane, namespace

    def attempt(self, *attempts: tuple[object, ...], classes: tuple[str, ...] = ("eu",)) -> list[str]:
        """How attempts of a process with these classes end; untagged without any."""
        argv = [_PYTHON, "-IS", str(_HERE / "attempts.py"), json.dumps(attempts)]
        results: list[str] = json.loads(self.plane.run(self.namespace, argv, classes))
        return results

    @contextmanager
    def holder(self, directory: Path, *classes: str) -> Iterator[Holder]:
        argv = [_PYTHON, "-IS", str(_HERE / "holder.py"), str(directory)]
        with self.plane.gated(self.namespace, argv, classes, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            yield Holder(directory, process.pid, int(process.stdout.readline()))


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    with Network() as network, Plane(owned("t")) as plane:
        yield Place(plane, network["enclave"])
