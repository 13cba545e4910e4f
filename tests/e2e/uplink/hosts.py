"""Hosts as the uplink sees them, and waiting for what they do."""

import asyncio
import subprocess
import sys
from functools import partial

from landfast.v1.agent_pb2 import Health, Hello, PolicyState
from landfast_agent import enrol, event_key
from landfast_agent.spool import Spool
from landfast_agent.uplink import Uplink

#: In a process of its own: a plain channel of gRPC beside those of asyncio in one process may wait for ever.
_ENROL = """
import sys
from pathlib import Path
from landfast_agent import enrol
address, token, state, name = sys.argv[1:]
enrol.enrol(address, Path(token), Path(state), name)
"""


class Policies:
    """A host that notes policies instead of loading them."""

    def __init__(self):
        self.seen = []
        self.delay = 0.0
        self.may_load = asyncio.Event()
        self.may_load.set()

    def hello(self):
        return Hello(agent_version="0.1.0", kernel="6.18", boot_id="b", hooks=["cgroup/connect4"])

    def health(self):
        return Health(tagged_processes=23)

    async def on_policy(self, policy):
        await self.may_load.wait()
        await asyncio.sleep(self.delay)
        self.seen.append(policy)
        return PolicyState(
            version=policy.version, state=PolicyState.STATE_REJECTED, reason="a test", digest=policy.digest
        )


class Agent:
    """An enrolled host with its spool and uplink."""

    def __init__(self, deployment, directory, name):
        self.name, self.directory, self.address = name, directory, deployment.address
        self.spool = Spool(directory / "spool.sqlite", name, partial(event_key.read, event_key.path_in(directory)))
        self.host = Policies()

    async def __aenter__(self):
        self.uplink = Uplink(self.address, enrol.identity_file(self.directory), self.spool, self.host)
        self._task = asyncio.create_task(self.uplink.run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.wait([self._task])
        self.spool.close()


async def enrolled(deployment, directory):
    """A host that is enrolled, not yet connected."""
    name = deployment.name("hall")
    await join(deployment, directory, name)
    return Agent(deployment, directory / "state", name)


async def join(deployment, directory, name, again=False):
    """Enrols the host `name`, whose state is in `directory`."""
    token = directory / "token.pem"
    await deployment.token_file(token, host=name if again else "")
    command = [sys.executable, "-c", _ENROL, deployment.address, token, directory / "state", name]
    await asyncio.to_thread(subprocess.run, command, check=True)


async def until(holds, what, timeout=10.0):
    """Waits without blocking the loop; seconds it took."""
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(timeout):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {timeout} s in vain: {what}") from None
    return asyncio.get_running_loop().time() - began
