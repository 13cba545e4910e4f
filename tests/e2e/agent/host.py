"""An enclave host as its administrator runs it: the installed `landfast-agent`, in the enclave's network namespace."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from landfast_agent.ask import ask
from landfast_agent.errors import Unavailable
from landfast_agent.instance import Instance
from tests.testbed import Namespace, Program, client, owned
from tests.testbed.leftovers import remove_instance

_PYTHON = "/usr/bin/python3"
_CLIENT = Path(client.__file__)
_AGENT = Path(sys.executable).parent / "landfast-agent"

#: As long as a name may be.
LONG = "a-data-class-whose-name-is-long-enough-to-need-a-line-of-its-own"[:63]

POLICY = f"""\
version: 1
data_classes:
  eu:
    allow:
      - {{to: 10.20.0.0/16, ports: [tcp/443], reason: replication}}
      - {{to: "2001:db8:20::/64", ports: [tcp/443], reason: replication}}
  billing:
    allow:
      - {{to: 10.20.0.10/32, ports: [tcp/443, tcp/5432], reason: ledger}}
  {LONG}:
    mode: audit
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
        self.agent = [str(_AGENT)]
        self.prefix: Sequence[str] = ()  # comes before the daemon's command line

    def command(self, *words: str | Path) -> list[str]:
        return [*self.agent, "--instance", self.instance.name, *map(str, words)]

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

    def events(self, *words: str) -> list[dict[str, Any]]:
        """This host's events from its own spool."""
        done = self.run("events", "--last", "0", "--json", *words)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def notices(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events() if event.get("notice") == kind]

    def asked(self) -> dict[str, Any] | None:
        """What the daemon says of itself, which is part of `status`; None when it does not answer.

        Unlike a command it costs next to nothing: for asking often.
        """
        with suppress(Unavailable):
            return ask(self.instance, "status", timeout_s=2)
        return None

    def attempt(self, *wanted: tuple[str, str, int], classes: str = "eu") -> list[str]:
        """How a tagged program fares: the results of tests/testbed/client.py."""
        done = self.where.run(self.tagged(_PYTHON, "-IS", _CLIENT, json.dumps(wanted), classes=classes))
        results: list[str] = json.loads(done.stdout)
        return results

    def daemon(self, *words: str | Path) -> Program:
        """Starts `run WORDS...`, without waiting."""
        self.log.unlink(missing_ok=True)
        return Program([*self.prefix, *self.command("run", *words)], self.log, self.where)

    def start(self, *words: str | Path) -> Program:
        """Starts the daemon with the policy file, or with `words`, and waits until commands can ask it."""
        program = self.daemon(*(words or ("--policy", self.policy)))
        return program.ready(lambda: (self.asked() or {}).get("pid") == program.pid, _START_S)  # not one that ends


@contextmanager
def running(where: Namespace, directory: Path, policy: str = POLICY) -> Iterator[Host]:
    """A host whose agent runs; nothing of it is left."""
    made = Host(where, directory, policy)
    try:
        with made.start():
            yield made
    finally:
        remove_instance(made.instance.name)
