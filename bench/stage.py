"""Where it is measured: two network namespaces joined by a veth pair, both ends of the traffic on one CPU."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.testbed import Cgroup, Namespace, Program, owned

NAME = "lfb"
CLIENT, SERVER = "10.77.0.1", "10.77.0.2"

#: Addresses of the server for the probe, by the allowlists that hold them; and the port of datagrams.
BOTH, NEITHER, ONLY_OLD, ONLY_NEW = SERVER, "10.77.0.3", "10.77.0.4", "10.77.0.5"
UDP_SINK = 7002  # of traffic.c

#: What makes a process tagged, once it is started and before it does anything.
Tag = Callable[[int], object]

_SOURCE = Path(__file__).with_name("traffic.c")
_GATE = 'echo ready && read _ && exec "$@"'  # waits in its place until it is tagged, then becomes the program
_SECONDS = 60


@dataclass(frozen=True)
class Probed:
    """What became of the datagrams to one address, and how often the verdict changed."""

    sent: int
    refused: int
    changes: int


class Stage:
    """Made on entry, removed on exit. `cgroup` is the client's: what the rivals recognise it by."""

    def __init__(self, directory: Path) -> None:
        name = owned(NAME)
        self.client, self.server = Namespace(f"{name}-client"), Namespace(f"{name}-server")
        self.cgroup = Cgroup(name)
        self._directory = directory
        self._traffic = directory / "traffic"
        self._undo = ExitStack()
        self.cpu = max(os.sched_getaffinity(0))

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            for each in (self.client, self.server, self.cgroup):
                undo.enter_context(each)
            self._join()
            self._build()
            self._leave_the_cpu(undo)
            serve: list[str | Path] = [self._traffic, "serve", str(self.cpu), SERVER]
            server = undo.enter_context(Program(serve, self._directory / "server.log", self.server))
            server.ready(lambda: "ready" in server.output)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _join(self) -> None:
        with self.client.netlink() as here, self.server.netlink() as there:
            here.link("add", ifname="eth0", kind="veth", peer={"ifname": "eth0", "net_ns_fd": self.server.name})
            for link, addresses in ((here, [CLIENT]), (there, [SERVER, NEITHER, ONLY_OLD, ONLY_NEW])):
                index = link.link_lookup(ifname="eth0")[0]
                link.link("set", index=index, state="up")
                for address in addresses:
                    link.addr("add", index=index, address=address, prefixlen=24)
        for end in (self.client, self.server):  # else the closed connections of a second fill all ports
            end.sysctl("net.ipv4.tcp_max_tw_buckets=0")

    def _build(self) -> None:
        command = ["gcc", "-O2", "-Wall", "-Werror", "-o", str(self._traffic), str(_SOURCE)]
        subprocess.run(command, check=True)

    def _leave_the_cpu(self, undo: ExitStack) -> None:
        """Keeps this process, and what it starts, off the CPU of the traffic; with a single one it has to stay."""
        before = os.sched_getaffinity(0)
        undo.callback(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, before - {self.cpu} or before)

    def load(self, workloads: Sequence[str], slices: int, tag: Tag | None) -> dict[str, list[float]]:
        """Nanoseconds per operation, slice by slice, of each workload run by one process in the client's cgroup."""
        argv = ["load", str(self.cpu), SERVER, str(slices), *workloads]
        with self._gated(argv, tag) as process:
            lines = process.communicate(timeout=_SECONDS)[0].splitlines()
        if process.returncode:
            raise RuntimeError(f"the load generator ended with status {process.returncode}: what it wrote is above")
        return {name: [float(each) for each in values] for name, *values in map(str.split, lines)}

    @contextmanager
    def probing(self, addresses: Sequence[str], tag: Tag | None) -> Iterator[list[Probed]]:
        """Sends to each address in turn, until the context is left; then the list says how that went."""
        counts: list[Probed] = []
        with self._gated(["probe", str(self.cpu), *addresses], tag) as process:
            yield counts
            lines = process.communicate(timeout=_SECONDS)[0].splitlines()
        counts += [Probed(*map(int, line.split())) for line in lines]

    @contextmanager
    def _gated(self, argv: Sequence[str], tag: Tag | None) -> Iterator["subprocess.Popen[str]"]:
        command = self.client.command(["/bin/sh", "-c", _GATE, "gate", self._traffic, *argv], self.cgroup)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n", f"{command} did not start"
            if tag:
                tag(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()
            process.wait()
