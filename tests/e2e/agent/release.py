"""Another version of the agent, and a campaign of upgrades and crashes under load."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from landfast_agent import libbpf
from tests.e2e.agent.host import POLICY, Host
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Program, Sniffer, restless

_ROOT = Path(__file__).parents[3]
_MAIN = "from landfast_agent.main import main; main()"
_LOAD = ["/usr/bin/python3", "-IS", restless.__file__, str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)]
_UDP = "{to: 10.20.0.0/16, ports: [tcp/443, udp/443], reason: replication}"

#: Two policies that allow the load the same.
POLICIES = [
    POLICY.replace("{to: 10.20.0.0/16, ports: [tcp/443], reason: replication}", _UDP).replace("replicat", word)
    for word in ("replicat", "duplicat")
]


def other_release(directory: Path) -> list[str]:
    """The command of an agent whose programs differ from ours: a copy of the sources with another constant."""
    for part in ("agent", "proto", "bpf"):
        shutil.copytree(_ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
    header = directory / "bpf/event.h"
    text = header.read_text()
    header.write_text(text.replace("LF_WAKE_EVERY_NS 10000000ULL", "LF_WAKE_EVERY_NS 9000000ULL"))
    assert header.read_text() != text
    path = f"PYTHONPATH={directory / 'agent'}:{directory / 'proto'}"
    return ["env", path, sys.executable, "-c", _MAIN]


class Campaign:
    """Does things to the agent of one host at random moments; after each the agent of some release runs again."""

    def __init__(self, host: Host, releases: Sequence[list[str]], seed: int) -> None:
        self.host, self._releases, self._chance = host, releases, random.Random(seed)
        self._current = 0
        self._policy = 0
        self.agent = self._run()
        self.tags = {self.tag()}

    def _run(self) -> Program:
        self.host.agent = self._releases[self._current]
        self.host.policy.write_text(POLICIES[self._policy])
        return self.host.start()

    def _begin(self) -> Program:
        """Starts an agent and does not wait."""
        self.host.agent = self._releases[self._current]
        return self.host.daemon("--policy", self.host.policy)

    def tag(self) -> str:
        """What the kernel calls the program that makes the verdicts: differs between releases."""
        fd = libbpf.obj_get(self.host.instance.pins / "programs/lf_egress")
        tag = libbpf.prog_info(fd).tag
        os.close(fd)
        return tag

    def upgrade(self) -> None:
        """An orderly stop, then the other release."""
        self.agent.stop()
        self._current = 1 - self._current
        self.agent = self._run()
        self.tags.add(self.tag())

    def upgrade_and_kill(self) -> None:
        """The other release is killed, its loader with it, at any moment of its start."""
        self.agent.stop()
        self._current = 1 - self._current
        self._kill(self._begin(), 3.0)
        self.agent = self._run()

    def kill_and_start(self) -> None:
        self._kill(self.agent, 0.5)
        self._kill(self._begin(), 3.0)
        self.agent = self._run()

    def switch_and_kill(self) -> None:
        """Killed while another policy is read, written and made active."""
        self._policy = 1 - self._policy
        self.host.policy.write_text(POLICIES[self._policy])
        self.agent.process.send_signal(signal.SIGHUP)
        self._kill(self.agent, 0.3)
        self.agent = self._run()

    def _kill(self, agent: Program, within_s: float) -> None:
        time.sleep(self._chance.uniform(0, within_s))
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()

    @property
    def actions(self) -> list[Callable[[], None]]:
        return [self.upgrade, self.upgrade_and_kill, self.kill_and_start, self.switch_and_kill]


@contextmanager
def under_load(host: Host, network: Network) -> Iterator[None]:
    """Tagged programs try all the time; in the end not one frame went where it must not, and no refusal was wrong."""
    with Sniffer(network.router, "enclave", snap=128) as sniffer:
        loads = [_start(host) for _ in range(2)]
        try:
            yield
            results = [json.loads(load.communicate("end\n", timeout=60)[0]) for load in loads]
        finally:
            for load in loads:
                load.kill()
                load.wait()
        assert sniffer.frames(to=f"{OUTSIDE.ip4}/32") == []
        assert sniffer.frames(to=f"{DATA_CENTRE.ip4}/32"), "what is approved was on the wire"
    forbidden = sum((Counter(result["forbidden"]) for result in results), Counter())
    approved = sum((Counter(result["approved"]) for result in results), Counter())
    assert set(forbidden) == {"EPERM"}
    assert set(approved) <= {"ok", "timeout"}, "nothing approved was refused"
    assert approved["timeout"] <= approved["ok"] // 100, approved
    assert min(forbidden["EPERM"], approved["ok"]) > 100


def _start(host: Host) -> "subprocess.Popen[str]":
    command = host.where.command(host.tagged(*_LOAD))
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert load.stdout
    assert load.stdout.readline() == "ready\n"
    return load
