"""The host's identity over time: renewed at half of its life, and tried before it takes the place of the old one.

A renewed identity is stored beside the old one, and replaces it when the controller has let it in. Until then the old
one stays good, whatever is lost or refused: the controller ends it only when the new one is used. An identity that has
expired while the host was away is renewed by its recovery certificate, without a person.
"""

import asyncio
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import grpc
import structlog

from landfast.channel import OPTIONS, credentials
from landfast.identity import Bundle, certificate_of, key_pem, new_key, signing_request, spiffe_id_of, sync_directory
from landfast.v1.agent_pb2 import RenewRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast_agent.enrol import renewed_file
from landfast_agent.identity_file import Identity

if TYPE_CHECKING:
    from landfast.v1.agent_pb2_grpc import AgentServiceAsyncStub

#: Of an identity's life: hosts that have joined together do not renew together.
_EARLIEST, _LATEST = 0.45, 0.55

#: Of an identity's life, half of what remained when it was due: from now on somebody should look.
_WORRY = 0.75

_TIMEOUT_S = 15.0
_SHORTEST_S, _LONGEST_S = 1.0, 600.0  # before a renewal that has failed is tried again
_LOOK_S = 30.0  # a sleep does not notice that the clock was set

_log = structlog.get_logger()


class Renewed(Exception):
    """There is a new identity: the connection is to be made anew, since gRPC cannot change the certificate of one."""

    def __str__(self) -> str:
        return "connecting anew with the renewed identity"


@dataclass(frozen=True)
class IdentityState:
    """What `status` tells of the identity."""

    expires: float | None  # seconds of CLOCK_REALTIME; None while there is none that can be read
    problem: str  # why it still is not renewed, though it should be; empty when all is well


class Renewal:
    """The identity in the file `path`. All methods belong to the uplink's event loop."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, renewed_file(path)
        self._current: Identity | None = None
        self._let_in = False
        self._turn = 0
        self._failure = ""

    def identity(self) -> Identity:
        """What to connect with: the renewed identity first; the older one as well while neither is let in.

        Raises OSError or ValueError when its file cannot be used.
        """
        self._current, self._let_in = None, False
        there = [path for path in (self._next, self._path) if path.exists()] or [self._path]
        self._current = Identity.read(there[self._turn % len(there)])
        return self._current

    def accepted(self) -> None:
        """The controller has let the identity in: it takes the place of the older one."""
        self._let_in = True
        if self._current is None or self._current.path != self._next:
            return
        try:
            os.replace(self._next, self._path)
            sync_directory(self._path.parent)
        except OSError as error:  # it is found and tried first again at the next start
            _log.error("a renewed identity cannot be put in its place", path=str(self._path), why=str(error))

    async def keep(self, stub: "AgentServiceAsyncStub") -> NoReturn:
        """Waits until half of the life of the identity is over, and renews it; raises Renewed."""
        identity = self._current
        assert identity
        due = identity.after(random.uniform(_EARLIEST, _LATEST))  # noqa: S311  # nobody gains by guessing it
        while (wait := due - time.time()) > 0:
            await asyncio.sleep(min(wait, _LOOK_S))
        while not await self._renew(stub, identity):
            await asyncio.sleep(_retry_s(identity))
        raise Renewed

    async def recover(self, controller: str, ending: Exception) -> bool:
        """Called when a connection has ended: whether there is a new identity now, since the old one had expired."""
        identity = self._current
        if not self._let_in:
            self._turn += 1
        recovering = identity.recovering if identity else None
        if identity is None or recovering is None or not (_is_refusal(ending) or identity.expires <= time.time()):
            return False
        async with grpc.aio.secure_channel(controller, credentials(recovering), OPTIONS) as channel:
            return await self._renew(AgentServiceStub(channel), identity)

    def state(self) -> IdentityState:
        identity, now = self._current, time.time()
        if identity is None:
            return IdentityState(None, "")
        if now < identity.after(_WORRY):
            return IdentityState(identity.expires, "")
        ends = "has expired" if identity.expires <= now else "expires"
        why = self._failure or "there is no connection to the controller"
        problem = f"identity: its certificate {ends} at {identity.date} and could not be renewed: {why}"
        return IdentityState(identity.expires, problem)

    async def _renew(self, stub: "AgentServiceAsyncStub", identity: Identity) -> bool:
        """Asks for a new identity and stores it. A failure leaves everything as it is."""
        key = new_key()
        try:
            made = await stub.Renew(RenewRequest(csr=signing_request(key)), timeout=_TIMEOUT_S)
            self._store(Bundle(key_pem(key), made.certificate, identity.bundle.authority, made.recovery), identity)
        except grpc.aio.AioRpcError as error:
            self._failure = f"{error.code().name}: {error.details()}"
        except (OSError, ValueError) as error:
            self._failure = str(error)
        else:
            self._failure = ""
            return True
        _log.error("the identity is not renewed; we keep what we have", expires=identity.date, why=self._failure)
        return False

    def _store(self, bundle: Bundle, older: Identity) -> None:
        holder = spiffe_id_of(certificate_of(bundle))
        if holder != older.holder:
            raise ValueError(f"the controller gave us the identity {holder}, not {older.holder}")
        bundle.write(self._next)
        self._turn = 0
        _log.info("identity renewed", identity=str(holder), expires=Identity.read(self._next).date)


def _is_refusal(ending: Exception) -> bool:
    return isinstance(ending, grpc.aio.AioRpcError) and ending.code() == grpc.StatusCode.UNAUTHENTICATED


def _retry_s(identity: Identity) -> float:
    """Ten times in what remains, cut at random."""
    delay = min(max((identity.expires - time.time()) / 10, _SHORTEST_S), _LONGEST_S)
    return delay * random.uniform(0.5, 1.0)  # noqa: S311  # as above
