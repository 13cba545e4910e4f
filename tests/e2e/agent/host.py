"""An enclave host as its administrator runs it: the installed `landfast-agent`, in the enclave's network namespace."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landfast_agent.instance import Instance
from tests.testbed import Namespace, Program, owned

_AGENT = Path(sys.executable).parent / "landfast-agent"

POLICY = """\
version: 1
data_classes:
  eu:
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443], reason: replication}
      - {to: "2001:db8:20::/64", ports: [tcp/443], reason: replication}
  billing:
    allow:
      - {to: 10.20.0.10/32, ports: [tcp/443, tcp/5432], reason: ledger}
"""

#: Seconds that a start may take on a busy machine, where the data plane may have to be compiled.
_START_S = 90


class Host:
    """One instance of the agent: its daemon, when `start` was called, and its commands."""

    def __init__(self, where: Namespace, directory: Path, policy: str = POLICY) -> None:
        self.where, self.directory = where, directory
        self.instance = Instance(owned("t"))
        self.policy = directory / f"{self.instance.name}.yaml"
        self.policy.write_text(policy)
        self.log = directory / f"{self.instance.name}.log"

    def command(self, *words: str | Path) -> list[str]:
        return [str(_AGENT), "--instance", self.instance.name, *map(str, words)]

    def tagged(self, *argv: str | Path, classes: str = "eu", options: Sequence[str] = ()) -> list[str]:
        """`argv` as a command line of `exec`."""
        return self.command("exec", "--class", classes, *options, "--", *argv)

    def run(self, *words: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        """One command of the agent, to its end."""
        return self.where.run(self.command(*words), **options)

    def exec(self, *argv: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        return self.where.run(self.tagged(*argv), **options)

    def json(self, *words: str) -> Any:
        """What a command prints with --json, whatever its exit status."""
        done = self.run(*words, "--json")
        assert not done.stderr
        return json.loads(done.stdout)

    def notices(self, kind: str) -> list[dict[str, Any]]:
        """This host's events of one kind, from its own spool."""
        done = self.run("events", "--last", "0", "--json")
        return [event for event in map(json.loads, done.stdout.splitlines()) if event.get("notice") == kind]

    def daemon(self, *words: str | Path) -> Program:
        """Starts `run WORDS...`, without waiting."""
        self.log.unlink(missing_ok=True)
        return Program(self.command("run", *words), self.log, self.where)

    def start(self, *words: str | Path) -> Program:
        """Starts the daemon with the policy file, or with `words`, and waits until commands can ask it."""
        program = self.daemon(*(words or ("--policy", self.policy)))
        return program.ready(lambda: self.run("status", "--json").stdout.find('"daemon": {') >= 0, _START_S)
