"""Landfast as it is: its own loader, slots and tagger, under an instance of its own; and programs that do nothing."""

import os
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.stage import Stage, Tag
from landfast.policy import canonical
from landfast.policy.model import Policy
from landfast.policy.tables import Tables, compile_policy
from landfast.verdict import Stage as Hook
from landfast_agent import cgroups, libbpf, slots
from tests.testbed.plane import Plane

_RING = 4 << 20  # bytes, as the agent's default
_DRAIN_S = 0.01  # as often as the kernel wakes the daemon
_LOST = 6  # LF_C_LOST

_RETURN_1 = struct.pack("<BBhi", 0xB7, 0, 0, 1) + struct.pack("<BBhi", 0x95, 0, 0, 0)  # r0 = 1; exit
_NO_OPS = {"sock_create": (9, 2), "connect4": (18, 10), "sendmsg4": (18, 14), "egress": (8, 1)}  # program, attach type


@contextmanager
def no_op() -> Iterator[None]:
    """Programs that return 1 at the root cgroup, on the hooks that the workloads pass. Their links end with us."""
    with ExitStack() as undo:
        root = os.open(cgroups.root(), os.O_RDONLY | os.O_DIRECTORY)
        undo.callback(os.close, root)
        for name, (kind, attach_type) in _NO_OPS.items():
            program = libbpf.prog_load(kind, name, _RETURN_1, licence="GPL", attach_type=attach_type)
            undo.callback(os.close, program)
            undo.callback(os.close, libbpf.link_create(program, root, attach_type))
        yield None


def tables_of(policy: Policy) -> Tables:
    return compile_policy(policy, canonical.digest(canonical.encode(policy)))


class Ours:
    """The data plane of instance `name`, loaded afresh for each context."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lost = 0  # events

    def disturbances(self) -> list[str]:
        """Why what was measured so far is not to be believed."""
        if not self._lost:
            return []
        return [f"{self._lost} events were lost, and their cost with them: run it again where a second CPU is idle"]

    @contextmanager
    def loaded(self, tables: Tables) -> Iterator[Plane]:
        """With a policy in force, and somebody who reads the events."""
        with Plane(self._name, _RING) as plane:
            slots.install(plane.maps, tables, plane.clock)
            with _drained(plane):
                yield plane
            self._lost += sum(plane.count(stage, _LOST) for stage in Hook)

    @contextmanager
    def idle(self, tables: Tables) -> Iterator[None]:
        """Nobody is tagged."""
        with self.loaded(tables):
            yield None

    @contextmanager
    def beside(self, tables: Tables, stage: Stage) -> Iterator[None]:
        """Somebody else is tagged, in the same place, and does nothing."""
        with self.loaded(tables) as plane:
            sleeper = subprocess.Popen(stage.client.command(["sleep", "infinity"], stage.cgroup))
            try:
                plane.tagger.tag_tree(sleeper.pid, 1)
                yield None
            finally:
                sleeper.kill()
                sleeper.wait()

    @contextmanager
    def tagging(self, tables: Tables) -> Iterator[Tag]:
        """The measured process is tagged, with the policy's only class."""
        with self.loaded(tables) as plane:
            yield lambda pid: plane.tagger.tag_tree(pid, 1)


@contextmanager
def _drained(plane: Plane) -> Iterator[None]:
    """Reads and forgets the events meanwhile, on another CPU than the traffic's, as the daemon would."""
    stopping = threading.Event()

    def drain() -> None:
        while not stopping.wait(_DRAIN_S):
            plane.ring.release(plane.ring.read(_RING).position)

    thread = threading.Thread(target=drain, name="drain")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
