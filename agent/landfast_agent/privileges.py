"""What puts a tagged process outside the promise: root's identity, capabilities that undo enforcement, open ways past
the hooks.

A capability counts when a thread may raise it at any moment (its permitted set). The bounding set counts too where an
`execve` would give it: for root's identity, and for whoever can take that, unless no_new_privs is set. Setuid programs
that happen to be installed are not looked at: what they let their caller do is theirs to decide.

`root` is user 0, or a capability that amounts to it. Root's files are unit files and crontabs: with no
capability at all it can still have somebody else do the sending.

In a user namespace of its own a process has every capability, over what belongs to that namespace only. Named then
are those that reach something: its network namespace may have a link that leads out, its neighbours may be untagged.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from landfast_agent import sockets
from landfast_agent.capabilities import UNDOING

_AMOUNT_TO_ROOT = {"chown": 0, "dac_override": 1, "fowner": 3, "setgid": 6, "setuid": 7, "setfcap": 31}
_REACH_OUT = {name: UNDOING[name] for name in ("net_admin", "net_raw", "sys_ptrace")}
_INODE_COLUMN = {"raw": 9, "raw6": 9, "packet": 8}  # of /proc/net/NAME
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True)
class _Thread:
    """Credentials of one thread; sets are masks."""

    user_ids: frozenset[int]  # real, effective, saved, of files
    permitted: int
    bounding: int
    no_new_privs: bool

    @property
    def is_root(self) -> bool:
        return 0 in self.user_ids or bool(self.permitted & _mask(_AMOUNT_TO_ROOT.values()))

    @property
    def capabilities(self) -> int:
        return self.permitted | (self.bounding if self.is_root and not self.no_new_privs else 0)


def held_by(pid: int) -> list[str]:
    """`root`, capabilities by name, `raw_socket`, `io_uring`: what a process holds; nothing when it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [*_powers(list(_threads(pid)), _is_at_home(pid)), *_ways_past(pid)]
    return []


def _powers(threads: list[_Thread], at_home: bool) -> Iterator[str]:
    held = 0
    for thread in threads:
        held |= thread.capabilities
    if any(thread.is_root if at_home else 0 in thread.user_ids for thread in threads):
        yield "root"
    yield from (name for name, number in (UNDOING if at_home else _REACH_OUT).items() if held >> number & 1)


def _threads(pid: int) -> Iterator[_Thread]:
    for thread in os.listdir(f"/proc/{pid}/task"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield _read(Path(f"/proc/{pid}/task/{thread}/status").read_text())


def _read(status: str) -> _Thread:
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return _Thread(
        user_ids=frozenset(map(int, fields["Uid"].split())),
        permitted=int(fields["CapPrm"], 16),
        bounding=int(fields["CapBnd"], 16),
        no_new_privs=fields["NoNewPrivs"] == "1",
    )


def _is_at_home(pid: int) -> bool:
    """Whether it lives in our user namespace."""
    return Path(f"/proc/{pid}/ns/user").stat().st_ino == Path("/proc/self/ns/user").stat().st_ino


def _ways_past(pid: int) -> Iterator[str]:
    """Open descriptors of a kind whose traffic the socket hooks may not see.

    Looked up by name, not opened: status is asked often, and a duplicate would keep its owner's connection open. A
    raw socket of another network namespace, and a ring that is registered and closed, are not found this way.
    """
    links = {link for thread in sockets.tables(pid) for link in _links(pid, thread)}
    inodes = {found[1] for link in links if (found := _SOCKET.fullmatch(link))}
    if inodes & set(_raw_inodes(pid)):
        yield "raw_socket"
    if "anon_inode:[io_uring]" in links:
        yield "io_uring"


def _links(pid: int, thread: int) -> Iterator[str]:
    directory = f"/proc/{pid}/task/{thread}/fd"
    with suppress(FileNotFoundError, ProcessLookupError):
        for fd in os.listdir(directory):
            with suppress(FileNotFoundError, ProcessLookupError):
                yield os.readlink(f"{directory}/{fd}")


def _raw_inodes(pid: int) -> Iterator[str]:
    """Of raw and packet sockets in its network namespace."""
    for name, column in _INODE_COLUMN.items():
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
            yield from (line.split()[column] for line in lines[1:])


def _mask(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in numbers)
