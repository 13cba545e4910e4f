"""Where and when it was measured, and what may have disturbed it."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_PINS = Path("/sys/fs/bpf/landfast")
_TOOLS = ("nft", "iptables", "ipset")


@dataclass(frozen=True)
class Conditions:
    """`load` is the number of runnable processes over the last minute, before anything was started. `instances` of
    the agent were attached all the time, also while nothing was measured."""

    date: str
    commit: str
    kernel: str
    processor: str
    cpus: int
    load: float
    bpf_stats_enabled: int
    instances: list[str]
    tools: dict[str, str]


def observe() -> Conditions:
    return Conditions(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_said("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"),
        kernel=platform.release(),
        processor=_processor(),
        cpus=os.cpu_count() or 0,
        load=os.getloadavg()[0],
        bpf_stats_enabled=int(Path("/proc/sys/kernel/bpf_stats_enabled").read_text()),
        instances=sorted(each.name for each in _PINS.iterdir()) if _PINS.is_dir() else [],
        tools={each: _said(each, "--version") for each in _TOOLS},
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _said(*argv: str) -> str:
    """The first line that a program prints; empty when it cannot, or is not here."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return next(iter(done.stdout.splitlines()), "")
