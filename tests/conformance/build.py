"""Compiles techniques in C, once for each state of their sources, so that a virtual machine finds them built."""

import hashlib
import os
import re
import subprocess
from functools import cache
from pathlib import Path

from tests.conformance.technique import Technique

_ROOT = Path(__file__).parents[2]
_BUILD = _ROOT / "build" / "conformance" / "bin"
_TAKES_IN = re.compile(r'^(?:#include "(.+)"|from (\w+) import )', re.MULTILINE)
_PYTHON = ("/usr/bin/python3", "-SEs")  # finds common.py beside the script, and nothing of this environment


@cache
def command(source: Path) -> list[str]:
    """How a technique, helper or control is started. What is C is compiled as it was when first asked."""
    return [*_PYTHON, str(source)] if source.suffix == ".py" else [str(_binary(source))]


def build_all(techniques: list[Technique]) -> None:
    """Compiles whatever is not compiled yet. Raises CalledProcessError with the compiler's words on standard error."""
    for technique in techniques:
        command(technique.source)


def digest(technique: Technique) -> str:
    """Of all that is run for it, so that what it did when nothing confined it holds while that stays as it is."""
    return _digest(technique.source, *([technique.helper] if technique.helper else []))


def _digest(*sources: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for each in sources for path in _parts(each))).hexdigest()[:16]


def _parts(source: Path) -> list[Path]:
    """The source, and what it takes in from its own directory."""
    beside = (source.with_name(c or f"{python}.py") for c, python in _TAKES_IN.findall(source.read_text()))
    return [source, *(part for path in beside if path.exists() for part in _parts(path))]


def _binary(source: Path) -> Path:
    binary = _BUILD / f"{source.stem}-{_digest(source)}"
    if not binary.exists():
        _compile(source, binary)
    return binary


def _compile(source: Path, binary: Path) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    partial = binary.with_suffix(f".{os.getpid()}")
    subprocess.run(["gcc", "-O1", "-Wall", "-pthread", "-D_GNU_SOURCE", "-o", partial, source], check=True)
    partial.replace(binary)
