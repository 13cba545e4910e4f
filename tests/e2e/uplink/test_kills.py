"""Agent and controller are killed at random moments while events come: each event is in the log exactly once."""

import asyncio
import random
import signal
import subprocess
import sys
import threading

from tests.bpf.ring_writer import ring_and_writer
from tests.bpf.test_recorder import write_steadily
from tests.e2e.uplink.hosts import until
from tests.e2e.uplink.logs import cookies, logged


def start(ring, state):
    command = [sys.executable, "-m", "tests.e2e.uplink.agent_program", str(ring._fd), str(state)]
    return subprocess.Popen(command, pass_fds=[ring._fd], stdin=subprocess.PIPE)


def kill(program):
    program.send_signal(signal.SIGKILL)
    program.communicate()


async def test_sigkill_of_agent_controller_and_both_loses_and_doubles_nothing(deployment, agent):
    chance = random.Random(2)
    with ring_and_writer(1 << 20) as (ring, writer):
        written, done = [0], threading.Event()
        flood = threading.Thread(target=write_steadily, args=(writer, written, done))
        flood.start()
        program = start(ring, agent.directory)
        for victims in ("agent", "controller", "both", "agent", "both"):
            seen = written[0]
            await until(lambda before=seen: written[0] > before + 3000, "events come", 20)
            await asyncio.sleep(chance.random())
            if victims != "controller":
                kill(program)
            if victims != "agent":
                deployment.kill()
                await asyncio.to_thread(deployment.start)
            if victims != "controller":
                program = start(ring, agent.directory)
        done.set()
        flood.join()
        await asyncio.to_thread(program.communicate, timeout=60)
        assert program.returncode == 0
    assert cookies(await logged(deployment, agent.name)) == list(range(written[0]))
    assert written[0] > 15_000
