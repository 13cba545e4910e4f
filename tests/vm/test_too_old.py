"""A kernel that cannot pin programs to tracepoints (before 5.15) is refused, and nothing is left of the attempt."""

import subprocess
import sys
from pathlib import Path

import pytest

AGENT = Path(sys.executable).with_name("landfast-agent")


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_says_so_in_one_sentence(instance: str, tmp_path: Path, command: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\ndata_classes: {eu: {}}\n")
    options = ["--policy", str(policy)] if command == "run" else ["--json"]
    done = subprocess.run(
        [AGENT, "--instance", instance, command, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == (3 if command == "run" else 1)
    assert (done.stderr + done.stdout).count("Landfast needs Linux 5.15 or later") == 1
    assert not Path("/sys/fs/bpf/landfast", instance).exists()
