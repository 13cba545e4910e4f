"""python -m bench.fleet.hosts DIRECTORY CONTROLLER RIVAL HOST...: simulated hosts, each with a stream to both servers.

A host says what a real one says: Hello, APPLIED with the digests that prove a policy, a sign of life when it has said
nothing for a while. It has a certificate and a connection of its own. It has no kernel and no events, and does not
verify TUF metadata: real hosts do so on processors of their own, at once; here a thousand would share what the servers
need (`bench.fleet.contest` measures what one verification takes, alone). To the rival it says the same, without signs
of life.

Prints a line when all are connected. The first host keeps what it was sent, for the rival to send again.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from bench.fleet.deployment import Deployment
from landfast import batch
from landfast.channel import OPTIONS, credentials
from landfast.identity import Bundle
from landfast.v1.agent_pb2 import Health, Hello, PolicyState, SyncRequest, SyncResponse
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.policy_pb2 import Policy

if TYPE_CHECKING:
    _Call = grpc.aio.StreamStreamCall[SyncRequest, SyncResponse]

_HEALTH_S = 5.0
_AT_ONCE = 32  # handshakes
_COUNTERS = [0] * batch.COUNTERS

#: Else channels to one address with equal credentials would be one connection.
_OWN = ("grpc.use_local_subchannel_pool", 1)


@dataclass(frozen=True)
class Host:
    """A host and its stream to one server. One that is `whole` tells signs of life too."""

    deployment: Deployment
    name: str
    map_digests: dict[int, bytes]
    address: str
    whole: bool
    keeps: bool

    async def stay(self, turn: asyncio.Semaphore, connected: asyncio.Queue[str]) -> None:
        """Connects when it is its `turn`, says so, and answers for ever."""
        bundle = Bundle.read(self.deployment.host(self.name))
        async with grpc.aio.secure_channel(self.address, credentials(bundle), [*OPTIONS, _OWN]) as channel:
            async with turn:
                call = AgentServiceStub(channel).Sync()
                await call.write(SyncRequest(hello=Hello(agent_version="0", kernel="none", boot_id="0")))
                await call.initial_metadata()
            connected.put_nowait(self.name)
            words: asyncio.Queue[PolicyState] = asyncio.Queue()
            await asyncio.gather(self._hear(call, words), self._tell(call, words))

    async def _hear(self, call: "_Call", words: asyncio.Queue[PolicyState]) -> None:
        async for response in call:
            self._keep(response)
            words.put_nowait(_applied(response.policy, self.map_digests[response.policy.version]))
        raise ConnectionError(f"{self.name}: the server at {self.address} has ended the stream")

    async def _tell(self, call: "_Call", words: asyncio.Queue[PolicyState]) -> None:
        while True:
            try:
                async with asyncio.timeout(_HEALTH_S if self.whole else None):
                    state = await words.get()
            except TimeoutError:
                await call.write(SyncRequest(health=Health(counters=_COUNTERS)))
            else:
                await call.write(SyncRequest(policy_state=state))

    def _keep(self, response: SyncResponse) -> None:
        if self.keeps and response.policy.canonical:
            path = self.deployment.sent(response.policy.version)
            partial = path.with_suffix(".partial")
            partial.write_bytes(response.SerializeToString())
            partial.rename(path)


def _applied(policy: Policy, map_digest: bytes) -> PolicyState:
    applied = PolicyState.STATE_APPLIED
    return PolicyState(version=policy.version, state=applied, digest=policy.digest, map_digest=map_digest)


async def main(directory: Path, controller: str, rival: str, names: list[str]) -> None:
    deployment = Deployment(directory)
    texts = json.loads(deployment.map_digests.read_text())
    digests = {int(number): bytes.fromhex(text) for number, text in texts.items()}
    connected: asyncio.Queue[str] = asyncio.Queue()
    turn = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        for address, whole in ((controller, True), (rival, False)):
            for name in names:
                host = Host(deployment, name, digests, address, whole, keeps=whole and name == names[0])
                tasks.create_task(host.stay(turn, connected))
        for _ in range(2 * len(names)):
            await connected.get()
        print("connected", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]))
