"""The daemon's control socket: one JSON line asks, one JSON line answers.

Everybody may connect, since anybody may tag themselves; what changes or tells about others is for root. The kernel
says who is asking.
"""

import asyncio
import errno
import json
import os
import select
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from landfast_agent.ask import Answer
from landfast_agent.errors import AgentError, Refused, Unavailable
from landfast_agent.instance import Instance

_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid
_SO_PEERPIDFD = 77  # asm-generic/socket.h, since Linux 6.5
_MAX_LINE = 1 << 16
_PER_USER = 64  # connections at a time; root is not counted. Nobody may use up the daemon's descriptors.


@dataclass(frozen=True)
class Peer:
    """Who asks, in the daemon's own process id namespace."""

    pid: int
    uid: int


Handler = Callable[[Answer, Peer], Awaitable[Answer]]


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked. `handler` gets the request's fields and the peer."""

    handler: Handler
    root_only: bool = True


def _peer(writer: asyncio.StreamWriter) -> Peer:
    connection: socket.socket = writer.get_extra_info("socket")
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Peer(pid, uid)


def _has_ended(writer: asyncio.StreamWriter) -> bool:
    """Whether the process that connected is gone: its number may be another's. Before Linux 6.5 nobody can tell."""
    connection: socket.socket = writer.get_extra_info("socket")
    try:
        pidfd = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        return error.errno != errno.ENOPROTOOPT
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(0))
    finally:
        os.close(pidfd)


class ControlServer:
    """Serves `operations` by name on the instance's socket."""

    def __init__(self, instance: Instance, operations: Mapping[str, Operation]) -> None:
        self._path = instance.control_socket
        self._operations = operations
        self._connected: Counter[int] = Counter()  # by user id

    async def start(self) -> asyncio.Server:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with suppress(FileNotFoundError):
            self._path.unlink()
        server = await asyncio.start_unix_server(self._serve, self._path, limit=_MAX_LINE)
        os.chmod(self._path, 0o666)  # noqa: S103  # anybody may tag themselves; operations check the peer
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            async with asyncio.timeout(60):
                peer = _peer(writer)
                with self._counted(peer) as too_many:
                    answer = too_many or await self._answer(await reader.readuntil(), peer, writer)
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        writer.close()

    @contextmanager
    def _counted(self, peer: Peer) -> Iterator[Answer]:
        """Yields an answer to give instead when the user has too many connections, else an empty one."""
        self._connected[peer.uid] += 1
        try:
            many = peer.uid != 0 and self._connected[peer.uid] > _PER_USER
            error = f"user {peer.uid} has {_PER_USER} connections to the agent already: close some, or try again"
            yield {"error": error, "status": Unavailable.status} if many else {}
        finally:
            self._connected[peer.uid] -= 1

    async def _answer(self, line: bytes, peer: Peer, writer: asyncio.StreamWriter) -> Answer:
        try:
            if _has_ended(writer):
                raise Refused(f"process {peer.pid}, which made this connection, has ended: make a new one")
            request = json.loads(line)
            operation = self._operations[request.pop("operation")]
            if operation.root_only and peer.uid != 0:
                raise Unavailable("this is for root: run it with sudo")
            return await operation.handler(request, peer)
        except AgentError as error:
            return {"error": str(error), "status": error.status}
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            return {"error": f"malformed request: {error!r}", "status": 2}
