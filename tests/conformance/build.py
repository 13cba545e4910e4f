"""Compiles techniques in C, once for each state of their sources, so that a virtual machine finds them built."""

import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path

from tests.conformance.technique import Technique

_ROOT = Path(__file__).parents[2]
_BUILD = _ROOT / "build" / "conformance" / "bin"
_PYTHON = ("/usr/bin/python3", "-SEs")  # finds common.py beside the script, and nothing of this environment


@cache
def command(source: Path) -> list[str]:
    """How a technique, helper or control is started. What is C is compiled as it was when first asked."""
    return [*_PYTHON, str(source)] if source.suffix == ".py" else [str(_binary(source))]


def build_all(techniques: list[Technique]) -> None:
    """Compiles whatever is not compiled yet. Raises CalledProcessError with the compiler's words on standard error."""
    for technique in techniques:
        command(technique.source)


def _binary(source: Path) -> Path:
    headers = sorted(source.parent.glob("*.h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (source, *headers))).hexdigest()[:16]
    binary = _BUILD / f"{source.stem}-{digest}"
    if not binary.exists():
        _compile(source, binary)
    return binary


def _compile(source: Path, binary: Path) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    partial = binary.with_suffix(f".{os.getpid()}")
    subprocess.run(["gcc", "-O1", "-Wall", "-pthread", "-D_GNU_SOURCE", "-o", partial, source], check=True)
    partial.replace(binary)
