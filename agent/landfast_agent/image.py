"""The compiled data plane: maps to create and programs to load. Cached by source and kernel.

Compiling needs BCC and headers; loading does not. With a cached image a host enforces after a boot on which neither
works.
"""

import base64
import hashlib
import json
import platform
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from landfast_agent import btf
from landfast_agent.errors import Unavailable

_COMPILER, _OFFSETS = (Path(__file__).with_name(name) for name in ("compile_bpf.py", "btf.py"))
_UNITS: tuple[tuple[str, ...], ...] = (("LF_UNIT_CONNECT",), (), ("LF_UNIT_LSM",))  # see bpf/landfast.c
PATIENCE_S = 900  # ten seconds where nothing else runs, a minute or more in an emulated machine
_SYSTEM_PYTHON = "/usr/bin/python3"  # has BCC from python3-bpfcc; a virtual environment has not


@dataclass(frozen=True)
class MapSpec:
    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int


@dataclass(frozen=True)
class Program:
    """`code` is an array of struct bpf_insn; `maps` names the map that an instruction loads, by its index."""

    name: str
    code: bytes
    maps: dict[int, str]


@dataclass(frozen=True)
class Image:
    key: str
    maps: tuple[MapSpec, ...]
    programs: tuple[Program, ...]


def source_directory() -> Path:
    """The C sources: inside the installed package, or beside `agent/` in a checkout."""
    installed = Path(__file__).with_name("bpf")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "bpf"


def _key(source: Path) -> str:
    digest = hashlib.sha256(f"{platform.release()} {platform.machine()}".encode())
    for path in sorted([*source.glob("*.[ch]"), _COMPILER, _OFFSETS]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _compile(source: Path) -> str:
    """All parts of the source at the same time."""
    with ThreadPoolExecutor(len(_UNITS)) as pool:
        parts = [json.loads(text) for text in pool.map(partial(_compile_unit, source), _UNITS)]
    programs = [program for part in parts for program in part["programs"]]
    return json.dumps({"maps": parts[0]["maps"], "programs": programs})


def _compile_unit(source: Path, defines: tuple[str, ...]) -> str:
    command = [_SYSTEM_PYTHON, str(_COMPILER), str(source), *defines, *btf.defines()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"compiling {source}/landfast.c took more than {PATIENCE_S} s: start again when the host has less to do, "
            f"or more memory"
        ) from None
    if done.returncode == 0:
        return done.stdout
    if "No module named 'bcc'" in done.stderr:
        raise Unavailable(f"BCC is missing for {_SYSTEM_PYTHON}: install it (Debian: apt-get install python3-bpfcc)")
    if "kernel headers" in done.stderr.lower() or "lib/modules" in done.stderr:
        raise Unavailable(
            f"no kernel headers under /lib/modules/{platform.release()}/build: install linux-headers-amd64, or link "
            f"`build` and `source` there to any installed headers"
        )
    raise Unavailable(f"cannot compile {source}/landfast.c:\n{done.stderr[-3000:]}")


def _parse(key: str, text: str) -> Image:
    data = json.loads(text)
    programs = tuple(
        Program(p["name"], base64.b64decode(p["code"]), {int(i): name for i, name in p["maps"].items()})
        for p in data["programs"]
    )
    return Image(key, tuple(MapSpec(**m) for m in data["maps"]), programs)


def cached(cache: Path, key: str) -> Image | None:
    """The image `key`, which an earlier version may have made; None when the directory `cache` has not got it."""
    path = cache / f"{key}.json"
    return _parse(key, path.read_text()) if key and path.exists() else None


def obtain(cache: Path) -> Image:
    """The image for this source and kernel, from the directory `cache` if it is there, else compiled and put there."""
    source = source_directory()
    key = _key(source)
    path = cache / f"{key}.json"
    if path.exists():
        return _parse(key, path.read_text())
    text = _compile(source)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)
    return _parse(key, text)
