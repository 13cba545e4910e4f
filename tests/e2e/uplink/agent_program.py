"""Recorder and uplink of an enrolled host in a process of its own, for tests that kill it: RING_FD STATE_DIRECTORY."""

import asyncio
import sys
from functools import partial
from pathlib import Path

from landfast_agent import enrol, event_key
from landfast_agent.ring import Ring
from landfast_agent.spool import Spool
from landfast_agent.uplink import Uplink
from tests.bpf.recorder_program import recorder
from tests.e2e.uplink.hosts import Policies


async def main(ring_fd: int, state: Path) -> None:
    enrolment = enrol.read(state)
    assert enrolment
    spool = Spool(state / "spool.sqlite", enrolment.host, partial(event_key.read, event_key.path_in(state)))
    uplink = Uplink(enrolment.controller, enrol.identity_file(state), spool, Policies())
    recording = recorder(Ring(ring_fd), spool, on_stored=uplink.stored)
    recording.start()
    running = asyncio.create_task(uplink.run())
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.to_thread(recording.stop)
    await uplink.acknowledged(spool.tip.next_sequence - 1)
    running.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
