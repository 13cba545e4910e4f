"""Somebody who types `landfast`."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.controller.deployment import CLI, Deployment

POLICY = """\
version: 1
data_classes:
  eea-user-data:
    mode: enforce
    allow:
      - to: 10.20.0.0/16
        ports: [tcp/443, tcp/5432]
        reason: replication to the second Dublin hall
"""


@dataclass
class Person:
    """Somebody with a configuration of their own."""

    deployment: Deployment
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"LANDFAST_CONFIG": str(self.home / "config.toml"), "COLUMNS": "200"}

    def run(self, *words: str | Path, status: int = 0, **options: Any) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*CLI, *words], check=False, capture_output=True, text=True, timeout=60, env=self.environment, **options
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def says(self, *words: str | Path) -> str:
        return self.run(*words).stdout

    def json(self, *words: str | Path, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def complains(self, *words: str | Path, status: int) -> str:
        error = self.run(*words, status=status).stderr
        assert error.startswith("landfast: ")
        return error

    def login(self, identity: Path, status: int = 0) -> "subprocess.CompletedProcess[str]":
        key = identity.with_suffix(".key")
        signs = ("--key", key) if key.exists() else ()
        return self.run("login", "--controller", self.deployment.address, "--identity", identity, *signs, status=status)

    def policy(self, text: str = POLICY) -> Path:
        file = self.home / "policy.yaml"
        file.write_text(text)
        return file
