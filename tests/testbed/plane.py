"""The real data plane of one instance, without the daemon: load it, give it a policy, run tagged programs."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from landfast import event
from landfast.event import Event
from landfast.policy import canonical, source
from landfast.policy.model import Policy
from landfast.policy.succession import succeed
from landfast.policy.tables import compile_policy
from landfast.verdict import Stage
from landfast_agent import addresses, image, loader, slots
from landfast_agent.clock import Clock
from landfast_agent.guard import Guard
from landfast_agent.instance import Instance
from landfast_agent.lockout import Lockout
from landfast_agent.maps import Maps
from landfast_agent.ring import Ring
from landfast_agent.slots import Loaded
from landfast_agent.tagger import Tagger
from tests.testbed.cgroup import Cgroup
from tests.testbed.namespace import Namespace
from tests.testbed.waiting import eventually

_CLIENT = Path(__file__).with_name("client.py")
_PYTHON = "/usr/bin/python3"
_GATE = 'read _ && exec "$@"'  # waits until it is tagged, then becomes the program

Attempt = tuple[str, str, int]  # way, address, port


def _entered(pid: int, where: Namespace) -> None:
    eventually(lambda: os.path.samefile(f"/proc/{pid}/ns/net", where.path), f"process {pid} is in its namespace", 10)


class Plane:
    """A loaded instance with its maps open."""

    def __init__(self, instance: str, ring_bytes: int = 1 << 20) -> None:
        self.instance = Instance(instance)
        compiled = image.obtain(self.instance.images)
        loader.load(compiled, self.instance, ring_bytes)
        self.maps = Maps(self.instance)
        self.clock = Clock(Path("/nonexistent"))
        self.policy: Policy | None = None
        self.ring = Ring(os.dup(self.maps.fd("events")))
        self.guard = Guard(self.maps, self.instance)
        self.tagger = Tagger(self.maps, Lockout(), self.guard)
        addresses.synchronise(self.maps)

    def apply(self, yaml: str) -> Loaded:
        """Makes a policy file the active policy, as the version after the one before."""
        self.policy = succeed(source.read(yaml).draft, self.policy)
        data = canonical.encode(self.policy)
        return slots.install(self.maps, compile_policy(self.policy, canonical.digest(data)), self.clock)

    def tags(self, classes: Sequence[str]) -> int:
        assert self.policy is not None
        return self.policy.tags(classes)

    def gated(
        self, where: Namespace, argv: Sequence[str | Path], classes: Sequence[str], **options: Any
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        """A program that is tagged (unless `classes` is empty) before its first instruction, and runs on entry."""
        return self.gated_by_mask(where, argv, self.tags(classes) if classes else 0, **options)

    @contextmanager
    def gated_by_mask(
        self, where: Namespace, argv: Sequence[str | Path], tags: int, **options: Any
    ) -> Iterator[subprocess.Popen[str]]:
        command = where.command(["/bin/sh", "-c", _GATE, "gate", *argv], options.pop("cgroup", None))
        defaults = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process: subprocess.Popen[str] = subprocess.Popen(command, **(defaults | options))
        try:
            if tags:
                _entered(process.pid, where)  # rules hold where it is tagged
                self.tagger.tag_tree(process.pid, tags)
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, where: Namespace, argv: Sequence[str | Path], classes: Sequence[str], **options: Any) -> str:
        """Standard output of a program that runs tagged to its end."""
        with self.gated(where, argv, classes, **options) as process:
            return process.communicate(timeout=60)[0]

    def attempt(
        self,
        where: Namespace,
        attempts: Sequence[Attempt],
        classes: Sequence[str] = ("eu",),
        cgroup: Cgroup | None = None,
    ) -> list[str]:
        """What a tagged client is told, attempt by attempt."""
        output = self.run(where, [_PYTHON, "-IS", _CLIENT, json.dumps(attempts)], classes, cgroup=cgroup)
        results: list[str] = json.loads(output)
        return results

    def events(self, stage: Stage | None = None) -> list[Event]:
        """Takes what is in the ring."""
        reading = self.ring.read(1 << 20)
        self.ring.release(reading.position)
        return [each for each in event.read_all(reading.records) if stage is None or each.stage == stage]

    def count(self, stage: Stage, counter: int) -> int:
        """A kernel counter: enum lf_counter."""
        return self.maps.counters()[stage * 8 + counter]

    def close(self) -> None:
        self.ring.close()
        self.maps.close()
        loader.unload(self.instance)

    def __enter__(self) -> "Plane":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
