"""A flood of refusals: every decision is delivered or counted as lost, nothing gets out, and memory stays bounded.

The environment variable DURATION is how many seconds it lasts.
"""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

from landfast import batch, event
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Stage
from landfast_agent.maps import Maps
from landfast_agent.spool_file import history
from tests.e2e.agent.host import Host
from tests.testbed import OUTSIDE, Network, Sniffer, eventually

DURATION = int(os.environ.get("DURATION", "60"))
CORES = os.cpu_count() or 1
OUT = str(OUTSIDE.ip4)
DECIDED, SUBMITTED, LOST = 0, 5, 6  # enum lf_counter
MEMORY = 128 << 20  # bytes
CONFIG = """\
policy = "{}"
history_bytes = 68719476736  # nothing is given up before it is counted
canary_seconds = 3600  # once: what is lost of it would be nobody's
"""


class Memory:
    """The most memory that a process had resident, from entering the context on."""

    def __init__(self, pid: int) -> None:
        self._process, self.peak = psutil.Process(pid), 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def delivered(host: Host) -> tuple[Counter[int], int]:
    """Records in the spool by stage, and how many of CONNECT the notices say were lost."""
    stages, lost = Counter[int](), 0
    for data in history(host.instance.state / "spool.sqlite"):
        view = batch.decode(data)
        found = np.bincount(np.frombuffer(view.message.records, event.numpy_type())["stage"])
        stages.update({stage: int(count) for stage, count in enumerate(found)})
        for notice in view.message.notices:
            if notice.kind == NoticeKind.NOTICE_KIND_LOST:
                lost += int(notice.fields.get("CONNECT", 0))
    return stages, lost


def build(directory: Path) -> Path:
    program, source = directory / "flood", Path(__file__).with_name("flood.c")
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", program, source], check=True)
    return program


def flood(host: Host, program: Path, agent: int) -> int:
    """Refusals that it was told. In the middle the agent stands still for a second."""
    command = host.where.command(host.tagged(program, OUT, str(DURATION), str(CORES)))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin
        assert load.stdout
        assert load.stdout.readline() == "ready\n"
        load.stdin.write("go\n")
        load.stdin.flush()
        time.sleep(DURATION / 2)
        os.kill(agent, signal.SIGSTOP)
        time.sleep(1)
        os.kill(agent, signal.SIGCONT)
        refused, other = map(int, load.stdout.readline().split())
    assert other == 0
    return refused


@pytest.mark.timeout(DURATION + 900)
def test_every_refusal_is_delivered_or_counted(
    network: Network, fresh: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(fresh.policy))
    with fresh.start("--config", config), Sniffer(network.router, "enclave") as sniffer:
        eventually(lambda: bool(fresh.notices("CANARY_PASSED")), "the canary was refused", 30)
        agent = fresh.json("status")["daemon"]["pid"]
        with Memory(agent) as memory:
            refused = flood(fresh, build(tmp_path), agent)
            eventually(lambda: fresh.json("status")["daemon"]["recorder"]["waiting"] == 0, "the ring is empty", 300)
        assert sniffer.frames(to=f"{OUT}/32") == []
        assert fresh.attempt(("tcp", OUT, 443)) == ["EPERM"]
    counters = maps_rows(fresh)
    stages, lost = delivered(fresh)
    canary = counters[Stage.CONNECT][7]
    assert all(row[DECIDED] == row[SUBMITTED] + row[LOST] for row in counters.values())
    assert all(stages[stage] == row[SUBMITTED] for stage, row in counters.items())
    assert refused + 1 + canary == stages[Stage.CONNECT] + lost
    assert lost == counters[Stage.CONNECT][LOST] > 0
    with capsys.disabled():
        rate, share, kept = refused / DURATION, lost / refused, stages[Stage.CONNECT]
        print(
            f"\n{refused} refusals in {DURATION} s on {CORES} cores, {rate:.0f}/s: {kept} delivered, {lost} counted as"
        )
        print(f"lost ({share:.1%}), no frame got out; the agent had {memory.peak >> 20} MiB at most")
    assert memory.peak < MEMORY


def maps_rows(host: Host) -> dict[Stage, list[int]]:
    """The kernel's counters by stage."""
    with Maps(host.instance) as maps:
        raw = maps.counters()
    return {stage: raw[stage * 8 : stage * 8 + 8] for stage in Stage}
