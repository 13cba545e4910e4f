"""What the story happens in: four places in network namespaces, real servers, and Landfast's commands."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo import remains
from tests.testbed import CONTROLLER, DATA_CENTRE, OUTSIDE, Namespace, Network, Program, owned, rsync_server, web_server

DATA_CLASS = "eea-user-data"
PORT = 7443
_BIN = Path(sys.executable).parent
_LARGE = 64 << 30  # bytes of the file that is downloaded until it is stopped; sparse, takes no space


class Setting:
    """The stage with its properties. `make` builds it; `remains.remove` takes it down whatever happened."""

    def __init__(self) -> None:
        self.network = Network(remains.NETWORK)
        self.instance = owned(remains.INSTANCE)
        self.directory = remains.directory(owned(remains.DIRECTORY))
        self.address = f"{CONTROLLER.ip4}:{PORT}"
        self.programs: dict[str, Program] = {}

    @property
    def enclave(self) -> Namespace:
        return self.network["enclave"]

    @property
    def controller(self) -> Namespace:
        return self.network["controller"]

    def make(self) -> None:
        self.directory.mkdir(mode=0o700)
        self.network.make()
        for site in (DATA_CENTRE, OUTSIDE):
            files = self._files(site.name)
            self.programs[f"nginx {site.name}"] = web_server(self.network[site.name], files, self._state(site.name))
        self.programs["rsync"] = rsync_server(self.network["datacentre"], self.path("replica"), self._state("rsync"))

    def path(self, name: str) -> Path:
        """A directory of the demonstration, made when it is missing."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def start(self, name: str, argv: Sequence[str | Path], where: Namespace, **options: Any) -> Program:
        """Starts a program that goes on beside the story; its output is in NAME.log."""
        self.programs[name] = Program(argv, self.directory / f"{name}.log", where, **options)
        return self.programs[name]

    def agent(self, *words: str | Path) -> list[str]:
        """A command line of `landfast-agent` for this demonstration's instance."""
        return [str(_BIN / "landfast-agent"), "--instance", self.instance, *map(str, words)]

    def tagged(self, *argv: str | Path) -> list[str]:
        """`argv` as a command line that carries the data class from its first instruction."""
        return self.agent("exec", "--class", DATA_CLASS, "--", *argv)

    def cli(self, *words: str | Path) -> list[str]:
        return [str(_BIN / "landfast"), *map(str, words)]

    def server(self, *words: str | Path) -> list[str]:
        return [str(_BIN / "landfast-controller"), *map(str, words)]

    def person(self, name: str) -> dict[str, str]:
        """The environment of somebody who uses `landfast` with a configuration of their own."""
        return os.environ | {"LANDFAST_CONFIG": str(self.directory / f"{name}.toml")}

    def landfast(self, who: str, *words: str | Path) -> str:
        """What `landfast WORDS...` prints for that person, at the controller's site."""
        return said(self.controller.run(self.cli(*words), env=self.person(who)))

    def _state(self, name: str) -> Path:
        return self.path(f"{name}-state")

    def _files(self, name: str) -> Path:
        files = self.path(f"{name}-files")
        (files / "hello").write_text(f"hello from {name}\n")
        with (files / "large").open("wb") as large:
            large.truncate(_LARGE)
        return files


def said(done: "subprocess.CompletedProcess[str]") -> str:
    """What a command printed; RuntimeError with its error when it failed."""
    if done.returncode:
        words = " ".join(word for word in done.args if not word.startswith("--net="))
        raise RuntimeError(f"{words}: exit status {done.returncode}\n{done.stdout}{done.stderr}".strip())
    return done.stdout
