"""`landfast-agent ps`: tagged processes and why they are tagged."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
import psutil

from landfast_agent import cgroups, privileges, tasks
from landfast_agent.instance import Instance
from landfast_agent.maps import Maps
from landfast_agent.policy_store import PolicyStore
from landfast_agent.tasks import Task
from landfast_agent.words import duration, require_root, table


@dataclass(frozen=True)
class Row:
    pid: int
    user: str
    name: str
    classes: list[str]
    why: str
    since_s: float
    holds: list[str]

    def document(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "user": self.user,
            "name": self.name,
            "classes": self.classes,
            "why": self.why,
            "tagged_seconds_ago": round(self.since_s, 3),
            "holds": self.holds,
        }


def _why(task: Task) -> str:
    if task.parent:
        return f"child of {task.parent}"
    if task.cgroup_id:
        return f"cgroup {cgroups.of_process(task.tgid)}"
    return "explicit"


def _row(task: Task, names: Mapping[int, str], now_ns: int) -> Row | None:
    try:
        process = psutil.Process(task.tgid)
        user, name = process.username(), process.name()
    except psutil.NoSuchProcess:
        return None
    classes = [names.get(bit, f"class-{bit}") for bit in range(64) if task.tags >> bit & 1]
    since_s = (now_ns - task.since_ns) / 1e9
    return Row(task.tgid, user, name, classes, _why(task), since_s, privileges.held_by(task.tgid))


@click.command("ps", short_help="List tagged processes and why they are tagged.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(instance: Instance, as_json: bool) -> None:
    """Lists the processes that carry data classes, as the kernel has them, and what gave them their tags.

    HOLDS is what undoes enforcement or passes it by: root's identity, capabilities, raw sockets, io_uring. Such a
    process is outside the promise. Works without the daemon.

    \b
    Examples:
      landfast-agent ps
      landfast-agent ps --json | jq '.[] | select(.holds != []) | {pid, name, holds}'
      landfast-agent ps --json | jq '.[] | select(.classes | index("eea-user-data")) | .pid'
    """
    require_root()
    names = PolicyStore(instance.state / "policies").class_names(0)
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    with Maps(instance) as maps:
        found = [_row(task, names, now_ns) for task in sorted(tasks.everything(maps), key=lambda t: t.tgid)]
    rows = [row for row in found if row]
    if as_json:
        click.echo(json.dumps([row.document() for row in rows]))
        return
    if not rows:
        click.echo("no process is tagged")
        return
    click.echo(table(("PID", "USER", "NAME", "CLASSES", "WHY", "FOR", "HOLDS"), [_cells(row) for row in rows]))


def _cells(row: Row) -> tuple[str, ...]:
    classes, holds = ",".join(row.classes), ",".join(row.holds) or "-"
    return str(row.pid), row.user, row.name, classes, row.why, duration(row.since_s), holds
