"""A loaded data plane and tagged probers in a namespace without routes."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from landfast.event import Event
from landfast.verdict import Stage
from tests.testbed import Namespace
from tests.testbed.names import owned
from tests.testbed.plane import Plane

_PROBER = Path(__file__).parents[1] / "testbed" / "prober.py"

Target = tuple[int, str, int]  # protocol, address, port


class Probers:
    """One tagged process for each set of classes; `ask` gives the kernel's decisions."""

    def __init__(self, plane: Plane, namespace: Namespace) -> None:
        self.plane, self._namespace = plane, namespace
        self._stack = ExitStack()
        self._running: dict[int, subprocess.Popen[str]] = {}

    def _of(self, tags: int) -> subprocess.Popen[str]:
        if tags not in self._running:
            gated = self.plane.gated_by_mask(self._namespace, ["/usr/bin/python3", "-IS", _PROBER], tags)
            self._running[tags] = self._stack.enter_context(gated)
            _line(self._running[tags])
        return self._running[tags]

    def ask(self, tags: int, targets: Sequence[Target]) -> list[Event]:
        """The decision records of a process with `tags` that connects to each target in turn."""
        process = self._of(tags)
        self.plane.events()
        assert process.stdin is not None
        process.stdin.write(json.dumps(targets) + "\n")
        process.stdin.flush()
        refusals = int(_line(process))
        events = self.plane.events(Stage.CONNECT)
        assert sum(e.verdict == 2 for e in events) == refusals, "what programs are told differs from what is recorded"
        return events

    def close(self) -> None:
        self._stack.close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    with Plane(owned("t"), ring_bytes=1 << 22) as made:
        yield made


@pytest.fixture(scope="module")
def probers(plane: Plane) -> Iterator[Probers]:
    with Namespace(owned("lft")) as namespace:
        made = Probers(plane, namespace)
        yield made
        made.close()
