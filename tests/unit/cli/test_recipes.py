"""What docs/audit.md tells to type without our tools: the commands as they stand there, in a copy of a log."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from landfast.event_key import text
from landfast.tlog.tiles import CHECKPOINT
from landfast.tlog.witness import path_of
from landfast_cli import proving
from landfast_cli.mirroring import Mirror
from landfast_cli.witnessed import Required
from tests.testbed.event_keys import public
from tests.unit.audit.stories import ordinary
from tests.unit.tlog import naive
from tests.unit.tlog.naive import COSIGNER, SIGNER

_DOCS = Path(__file__).parents[3] / "docs" / "audit.md"
_TIME_S = 1_790_000_123
_VERIFIED = "Signature Verified Successfully"


def _recipes() -> list[str]:
    """Checkpoint, cosignature, batch. The first one defines what the others use."""
    section = _DOCS.read_text().partition("## Without our tools")[2].partition("\n## ")[0]
    return re.findall(r"```\n(.*?)```", section, re.DOTALL)[:3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """With everything that the recipes name: keys, and the proof of a batch of hall-2."""
    files = naive.published(ordinary(30).entries)
    line = COSIGNER.cosign(SIGNER.verifier.text_of(files[CHECKPOINT]), _TIME_S)
    read = naive.reader(files | {path_of(COSIGNER.verifier): files[CHECKPOINT] + line.encode()})
    mirror = Mirror(tmp_path, SIGNER.verifier)
    mirror.update(read, lambda *_: None)
    mirror.keep_cosigned(read, Required((COSIGNER.verifier,), 1))
    for name, key in (
        ("log.pub", SIGNER.verifier),
        ("witness.pub", COSIGNER.verifier),
        ("key", text(public("hall-2"))),
    ):
        (tmp_path / name).write_text(f"{key}\n")
    proof = proving.prove(read, SIGNER.verifier, 10, Required())
    (tmp_path / "incident.tlog-proof").write_bytes(proof.encode())
    return tmp_path


def _typed(where: Path, *recipes: str) -> tuple[bool, str]:
    """Whether the last command of all held, and what was printed."""
    assert shutil.which("openssl")
    shell, given = ["/bin/sh", "-eu"], "".join(recipes)
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(shell, input=given, cwd=where, env=environment, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def test_a_checkpoint_a_cosignature_and_a_batch_are_verified(copy: Path) -> None:
    held, printed = _typed(copy, *_recipes())
    assert (held, printed.count(_VERIFIED)) == (True, 3), printed
    assert "Mon Sep 21 14:15:23 UTC 2026" in printed


@pytest.mark.parametrize("which", [1, 2])
def test_another_key_verifies_nothing(copy: Path, which: int) -> None:
    name, key_id, _ = str(COSIGNER.verifier).split("+", 2)
    other = str(naive.OTHER_COSIGNER.verifier).split("+", 2)[2]
    file, wrong = (("witness.pub", f"{name}+{key_id}+{other}"), ("key", text(public("hall-1"))))[which - 1]
    (copy / file).write_text(f"{wrong}\n")
    first, *others = _recipes()
    held, printed = _typed(copy, first, others[which - 1])
    assert (held, printed.count(_VERIFIED)) == (False, 1), printed


@pytest.mark.parametrize("which", range(3))
def test_what_was_altered_is_not_verified(copy: Path, which: int) -> None:
    first, *_ = recipes = _recipes()
    altered = re.sub(r"> text\n", "> text; printf x >> text\n", recipes[which])
    assert altered != recipes[which]
    held, printed = _typed(copy, *([altered] if which == 0 else [first, altered]))
    assert (held, printed.count(_VERIFIED)) == (False, min(which, 1)), printed
