"""Named network namespaces (those of `ip netns`), and running programs in them."""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute, config, netns

from tests.testbed.cgroup import Cgroup
from tests.testbed.processes import end_all, in_network

# A socket elsewhere is made by a process that is forked for it, which takes its time on a busy machine. Seconds.
config.default_communicate_timeout, config.default_create_socket_timeout = 5, 60

_JOIN_CGROUP = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


class Namespace:
    """A network namespace with its loopback up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path("/run/netns") / name

    def make(self) -> "Namespace":
        netns.create(self.name)
        self.sysctl("net.ipv6.conf.default.accept_dad=0")  # addresses are usable at once
        with self.netlink() as link:
            link.link("set", index=1, state="up")
        return self

    def netlink(self) -> Any:
        """A netlink socket in the namespace (pyroute2 publishes no types)."""
        return IPRoute(netns=self.name)

    def socket(self, family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        """A socket that lives in the namespace while this process stays outside."""
        made: socket.socket = netns.create_socket(self.name, family, kind, protocol)
        return made

    def command(self, argv: Sequence[str | Path], cgroup: Cgroup | None = None) -> list[str]:
        """`argv` as a command line that enters the namespace, then the cgroup, before it becomes the program.

        The process keeps its number all along. Not `ip netns exec`: that one remounts /sys.
        """
        join = ["/bin/sh", "-c", _JOIN_CGROUP, str(cgroup.path)] if cgroup else []
        return ["nsenter", f"--net={self.path}", "--", *join, *map(str, argv)]

    def run(
        self, argv: Sequence[str | Path], cgroup: Cgroup | None = None, timeout: float = 30, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end. Output is captured as text; `options` go to `subprocess.run`."""
        defaults = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
        return subprocess.run(self.command(argv, cgroup), timeout=timeout, check=False, **(defaults | options))

    def sysctl(self, *settings: str) -> None:
        """Sets `name=value` in the namespace."""
        self.run(["sysctl", "-qw", *settings]).check_returncode()

    def remove(self) -> None:
        """With all processes in it."""
        end_all(lambda: in_network(self.path), f"network namespace {self.name}")
        netns.remove(self.name)

    def __enter__(self) -> "Namespace":
        return self.make()

    def __exit__(self, *_: object) -> None:
        self.remove()
