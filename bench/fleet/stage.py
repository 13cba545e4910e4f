"""Both servers as processes of their own, and hosts that are connected to both."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Self

import grpc

from bench.fleet.deployment import Deployment, Version
from bench.fleet.log import Entry, Log
from landfast.channel import OPTIONS, credentials
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.policy_pb2 import ProposePolicyRequest
from landfast.v1.policy_pb2_grpc import PolicyServiceStub
from tests.testbed.program import Program
from tests.testbed.waiting import eventually

_START_S, _CONNECT_S, _ROUND_S = 60.0, 600.0, 120.0
_POLL_S = 0.002
_HERE = Path(__file__).parents[2]  # where `-m` finds modules

_PROVED = ControlAction.KIND_POLICY_APPLIED

#: One processor is for the server that has its turn; the hosts have the others.
_HOST_PROCESSES = max(1, (os.cpu_count() or 1) - 1)


class Stage:
    """To be entered: `say` is told what is waited for."""

    def __init__(self, deployment: Deployment, hosts: list[str], say: Callable[[str], None]) -> None:
        self._deployment, self._hosts, self._say = deployment, hosts, say
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _begin(self) -> None:
        self._say("starting the servers")
        directory = self._deployment.directory
        serve = ("serve", "--dir", self._deployment.controller, "--listen", "127.0.0.1:0")
        controller = self._started("landfast_controller.main", *serve)
        self._bare = self._started("bench.fleet.bare", directory, stdin=subprocess.PIPE)
        ports = [_port(each) for each in (controller, self._bare)]
        self._say(f"connecting {len(self._hosts)} hosts to both")
        self._connect([f"127.0.0.1:{port}" for port in ports])
        channel = grpc.secure_channel(f"127.0.0.1:{ports[0]}", credentials(self._deployment.approver), OPTIONS)
        self._policies = PolicyServiceStub(self._undo.enter_context(channel))
        self._log = self._undo.enter_context(closing(Log(self._deployment.database)))

    def _connect(self, addresses: list[str]) -> None:
        shares = [self._hosts[start::_HOST_PROCESSES] for start in range(_HOST_PROCESSES)]
        directory = self._deployment.directory
        for program in [self._started("bench.fleet.hosts", directory, *addresses, *each) for each in shares if each]:
            program.ready(partial(_has_said, program, "connected\n"), _CONNECT_S)

    def _started(self, module: str, *words: str | Path, **options: Any) -> Program:
        log = self._deployment.directory / f"{module}-{time.monotonic_ns()}.log"
        return self._undo.enter_context(Program([sys.executable, "-m", module, *words], log, cwd=_HERE, **options))

    def prove(self, version: Version) -> list[int]:
        """Makes `version` the newest: nanoseconds from its acceptance until each host's proof of it was on the disk."""
        request = ProposePolicyRequest(canonical=version.content, targets=version.targets, reason="benchmark")
        answer, seen = self._policies.ProposePolicy.future(request, timeout=_ROUND_S), list[Entry]()

        def proved() -> bool:
            if answer.done():
                answer.result()  # raises when it is no
            seen.extend(self._log.news())
            return len(seen) > len(self._hosts) and len(_of(seen, _PROVED)) == len(self._hosts)

        eventually(proved, f"all hosts prove policy {version.number}", _ROUND_S, _POLL_S)
        return _delays(seen)

    def broadcast(self, number: int) -> list[int]:
        """Sends what the controller has sent for a version: nanoseconds until each host's answer was read."""
        process = self._bare.process
        assert process.stdin
        before = len(self._bare.output)
        process.stdin.write(f"{self._deployment.sent(number)}\n".encode())
        process.stdin.flush()
        eventually(lambda: self._bare.output[before:].endswith("\n"), "all hosts answer", _ROUND_S)
        told = json.loads(self._bare.output[before:])
        return [each - told["began"] for each in told["answered"]]


def _of(entries: list[Entry], kind: "ControlAction.Kind.ValueType") -> list[Entry]:
    return [entry for entry in entries if entry.action.kind == kind]


def _delays(seen: list[Entry]) -> list[int]:
    """Raises ValueError unless each host has proved the one version that was accepted."""
    [accepted] = _of(seen, ControlAction.KIND_POLICY_VERSION)
    proofs = _of(seen, _PROVED)
    if len({entry.action.actor for entry in proofs}) != len(proofs):
        raise ValueError("a host has proved a policy twice")
    if {entry.action.fields["version"] for entry in proofs} != {accepted.action.subject}:
        raise ValueError(f"hosts have proved another policy than {accepted.action.subject}")
    return [entry.seen_ns - accepted.received_ns for entry in proofs]


def _has_said(program: Program, words: str) -> bool:
    return words in program.output


def _port(program: Program) -> int:
    """That a server says it listens on."""
    program.ready(partial(_has_said, program, "listening on port"), _START_S)
    return int(re.findall(r"listening on port (\d+)", program.output)[0])
