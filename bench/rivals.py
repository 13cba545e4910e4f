"""What people use today to confine a cgroup to an allowlist: nftables with two kinds of sets, and ipset.

Every table is loaded once, out of action, so that putting one into action takes a moment. All of them hang on the
output hook of the client's namespace, recognise the client by its cgroup, accept what the set holds and drop the rest.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.prefixes import PORTS
from bench.stage import Stage
from tests.testbed import Cgroup, cgroup_root

_TABLE = """
table inet {name} {{
    flags dormant;
    set allowed {{
        type {type};
        flags interval;
        elements = {{ {elements} }}
    }}
    chain confined {{
        {match} @allowed accept
        drop
    }}
    chain output {{
        type filter hook output priority 0; policy accept;
        socket cgroupv2 level 1 "{cgroup}" jump confined
    }}
}}
"""
_SECONDS = 300


class CommandError(RuntimeError):
    """A rival's tool refused. The message holds its words."""


class Rivals:
    """The rivals of one stage. Everything goes with the stage's namespace."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self._stage = stage
        self._directory = directory

    def add_interval(self, name: str, prefixes: Sequence[str]) -> None:
        """An nftables set of prefixes: addresses only."""
        self._add(name, "ipv4_addr", "ip daddr", prefixes)

    def add_concatenated(self, name: str, prefixes: Sequence[str]) -> None:
        """An nftables set of prefixes and port ranges: what a rule of Landfast says."""
        low, high = PORTS
        self._add(
            name, "ipv4_addr . inet_service", "ip daddr . th dport", [f"{each} . {low}-{high}" for each in prefixes]
        )

    def _add(self, name: str, kind: str, match: str, elements: Sequence[str]) -> None:
        cgroup = _below_sys_fs_cgroup(self._stage.cgroup)
        text = _TABLE.format(name=name, type=kind, match=match, elements=", ".join(elements), cgroup=cgroup)
        self._run("nft", "-f", self._file(f"{name}.nft", text))

    @contextmanager
    def nftables(self, name: str) -> Iterator[None]:
        """Table `name` in action."""
        self._run("nft", "add", "table", "inet", name)
        try:
            yield None
        finally:
            self._run("nft", "add", "table", "inet", name, "{ flags dormant; }")

    def replacement(self, name: str, title: str, prefixes: Sequence[str]) -> Path:
        """A file for `replace` that replaces the elements of a set of prefixes in one transaction."""
        text = f"flush set inet {name} allowed\nadd element inet {name} allowed {{ {', '.join(prefixes)} }}\n"
        return self._file(f"{name}-{title}.nft", text)

    def replace(self, file: Path) -> None:
        self._run("nft", "-f", file)

    def add_ipset(self, name: str, prefixes: Sequence[str]) -> None:
        """A hash of prefixes: addresses only."""
        lines = [f"create {name} hash:net maxelem {len(prefixes)}", *(f"add {name} {each}" for each in prefixes)]
        self._run("ipset", "restore", "-file", self._file(f"{name}.ipset", "\n".join(lines) + "\n"))

    @contextmanager
    def iptables(self, name: str) -> Iterator[None]:
        """The cgroup match of iptables with the set `name`."""
        confined = ("-m", "cgroup", "--path", self._stage.cgroup.name)
        try:
            self._run("iptables", "-A", "OUTPUT", *confined, "-m", "set", "--match-set", name, "dst", "-j", "ACCEPT")
            self._run("iptables", "-A", "OUTPUT", *confined, "-j", "DROP")
            yield None
        finally:  # its table, since an empty chain still costs something
            self._run("nft", "delete", "table", "ip", "filter")

    def _file(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.write_text(text)
        return path

    def _run(self, *argv: str | Path) -> None:
        done = self._stage.client.run(argv, timeout=_SECONDS)
        if done.returncode:
            raise CommandError(f"{' '.join(map(str, argv))}: {done.stderr.strip()[-500:]}")


def _below_sys_fs_cgroup(cgroup: Cgroup) -> str:
    """How nft wants to be told: relative to /sys/fs/cgroup, wherever the hierarchy is mounted below it."""
    return str((cgroup_root() / cgroup.name).relative_to("/sys/fs/cgroup"))
