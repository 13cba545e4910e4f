"""The servers as processes of their own, and the log as an auditor has it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import grpc

from bench.fleet.deployment import Deployment
from bench.log.pushing import Hosts
from landfast.channel import OPTIONS, credentials
from landfast_controller.initialise import FIRST_APPROVER
from tests.testbed.program import Program

_START_S, _VERIFY_S = 60.0, 600.0
_HERE = Path(__file__).parents[2]  # where `-m` finds modules
_CLI = Path(sys.executable).parent / "landfast"

#: Its one event at a time is measured; the other hosts only make load.
PROBE = "probe"


class Stage:
    """To be entered. Both deployments have the hosts that are named, and one called PROBE."""

    def __init__(self, directory: Path, controller: Deployment, unproved: Deployment, hosts: Sequence[str]) -> None:
        self._directory, self._controller, self._unproved, self.hosts = directory, controller, unproved, hosts
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _begin(self) -> None:
        ports = [
            self._started("landfast_controller.main", *_serve(self._controller)),
            self._started("bench.log.unproved", *_serve(self._unproved)),
            self._started("bench.log.bare", self._controller.directory),
        ]
        self._address = f"127.0.0.1:{ports[0]}"
        self.controller = await self._connected(self._controller, self.hosts, ports[0])
        self.unproved = await self._connected(self._unproved, self.hosts, ports[1])
        self.bare = await self._connected(self._controller, self.hosts, ports[2])
        self.single = await self._connected(self._controller, self.hosts, ports[2])
        [self.probe] = (await self._connected(self._controller, [PROBE], ports[0])).streams

    def _started(self, module: str, *words: str | Path) -> int:
        log = self._directory / f"{module}.log"
        program = self._open.enter_context(Program([sys.executable, "-m", module, *words], log, cwd=_HERE))
        program.ready(lambda: "listening on port" in program.output, _START_S)
        return int(re.findall(r"listening on port (\d+)", program.output)[0])

    async def _connected(self, made: Deployment, names: Sequence[str], port: int) -> Hosts:
        return await self._open.enter_async_context(Hosts(made, names, f"127.0.0.1:{port}"))

    @property
    def database(self) -> Path:
        return self._controller.database

    async def auditor(self) -> grpc.aio.Channel:
        """A connection of its own."""
        options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.aio.secure_channel(self._address, credentials(self._controller.approver), options)
        return await self._open.enter_async_context(channel)

    def mirror(self) -> Path:
        """A copy of the log as it is now, made by `landfast audit mirror`."""
        copy, identity = self._directory / "mirror", self._controller.controller / FIRST_APPROVER
        self._landfast("login", "--controller", self._address, "--identity", identity)
        self._landfast("audit", "mirror", copy)
        return copy

    def verify(self, copy: Path) -> float:
        """Seconds of `landfast audit verify`, from its start to its end."""
        began = time.perf_counter()
        self._landfast("audit", "verify", "--offline", copy)
        return time.perf_counter() - began

    def _landfast(self, *words: str | Path) -> None:
        environment = os.environ | {"LANDFAST_CONFIG": str(self._directory / "config.toml")}
        done = subprocess.run([_CLI, *words], check=False, capture_output=True, env=environment, timeout=_VERIFY_S)
        if done.returncode:
            raise RuntimeError(f"landfast {words[0]} {words[1]}: {(done.stdout + done.stderr).decode()}")


def _serve(made: Deployment) -> tuple[str | Path, ...]:
    return "serve", "--dir", made.controller, "--listen", "127.0.0.1:0"
