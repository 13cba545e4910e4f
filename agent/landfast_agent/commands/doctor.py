"""`landfast-agent doctor`: whether this host can enforce, and what to do if not."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import click
import psutil

from landfast.event import printable
from landfast_agent import cgroups, devices, enrol, hardening, image, loader, lsm, netns, perf, privileges, tasks
from landfast_agent.ask import ask
from landfast_agent.cgroup_names import unit_of
from landfast_agent.clock import Clock
from landfast_agent.errors import AgentError, Unavailable
from landfast_agent.hooks import has_lsm_tier
from landfast_agent.instance import Instance
from landfast_agent.maps import Maps
from landfast_agent.words import paragraph, require_root

_SYSTEM_PYTHON = "/usr/bin/python3"
_NAMED = 5  # processes that a finding names


@dataclass(frozen=True)
class Finding:
    """One check. `fatal` ones keep the agent from enforcing."""

    name: str
    ok: bool
    detail: str
    fatal: bool = True


def _kernel() -> str:
    perf.require_links()
    return f"Linux {platform.release()}"


def _bpffs() -> str:
    if not os.path.ismount("/sys/fs/bpf"):
        raise AgentError("/sys/fs/bpf is not mounted: mount -t bpf bpf /sys/fs/bpf")
    return "/sys/fs/bpf"


def _tracefs() -> str:
    return str(perf.tracefs())


def _cgroup2() -> str:
    return str(cgroups.root())


def _bcc() -> str:
    if not Path("/usr/lib/python3/dist-packages/bcc").is_dir():
        raise AgentError(f"BCC is missing for {_SYSTEM_PYTHON}: apt-get install python3-bpfcc")
    return "python3-bpfcc"


def _headers() -> str:
    build = Path("/lib/modules") / platform.release() / "build"
    if not build.is_dir():
        raise AgentError(f"{build} is missing: install linux-headers-amd64, or link it to any installed headers")
    return str(build)


@cache
def _probed(instance: Instance) -> frozenset[str]:
    """Loads every program for real, under a name of its own; nothing is attached."""
    return loader.probe(image.obtain(instance.images))


def _loads(instance: Instance) -> str:
    return f"{len(_probed(instance))} programs pass the verifier"


def _daemon(instance: Instance) -> int:
    """Its number, since the backstop hangs in its namespace; our own while it does not answer."""
    with suppress(Unavailable):
        return int(ask(instance, "status", timeout_s=2)["pid"])
    return os.getpid()


def _attached(instance: Instance) -> str:
    if not instance.pins.exists():
        raise AgentError(f"nothing is loaded yet: `{instance.agent} run` loads and enforces")
    with Maps(instance) as maps:
        namespaces = netns.of_threads([_daemon(instance), *(task.tgid for task in tasks.everything(maps))])
    states, links = loader.inspect(instance), devices.inspect(instance, namespaces)
    problems = [f"{state.hook.title}: {state.problem}" for state in states if state.problem]
    problems += [f"{link.title}: {link.problem}" for link in links if link.problem]
    if problems:
        raise AgentError("; ".join(problems))
    hooks = sum(1 for state in states if state.prog_id)
    return f"{hooks} hooks, and {len(links)} network links in {len(namespaces)} namespaces"


def _tier(instance: Instance) -> str:
    try:
        lsm.require_active()
        if not has_lsm_tier(_probed(instance)):
            raise AgentError("this kernel refuses programs at LSM hooks, though BPF LSM is active")
    except AgentError as error:
        without = "not in use: forbidden calls kill instead of an EPERM, unix sockets are judged by name"
        raise AgentError(f"{without}. To have it: {error}") from error
    return "forbidden calls get EPERM; unix peers, ptrace and passed descriptors are judged by their tags"


def _trust(instance: Instance) -> str:
    """On an enrolled host: whether the policy that it has is known to be the newest."""
    from landfast_agent.trust import Trust

    trust = Trust(enrol.trust_directory(instance.state), Clock(instance.state / "clock"))
    if trust.problem:
        raise AgentError(trust.problem)
    return f"root {trust.root_version} of {trust.fingerprint}"


def _identity(instance: Instance) -> str:
    """Whether an enrolled host is somebody to its controller, as far as its own clock knows."""
    from landfast_agent.identity_file import Identity

    path = enrol.identity_file(instance.state)
    try:
        identity = Identity.read(path)
    except (OSError, ValueError) as error:
        raise AgentError(f"{path}: {error}") from error
    if identity.expires <= time.time():
        remedy = (
            "the agent renews it once it reaches the controller"
            if identity.recovering
            else f"remove {path}, and enrol again with a token of this host's name"
        )
        raise AgentError(f"the certificate of {identity.holder} has expired at {identity.date}: {remedy}")
    return f"{identity.holder}, certificate until {identity.date}"


def _is_enrolled(instance: Instance) -> bool:
    return enrol.identity_file(instance.state).exists()


def _inside(instance: Instance) -> str:
    """Whether the promise holds for everybody who is tagged."""
    with Maps(instance) as maps:
        tgids = sorted(task.tgid for task in tasks.everything(maps))
    held = {tgid: found for tgid in tgids if (found := privileges.held_by(tgid))}
    if not held:
        return f"none of {len(tgids)} holds what undoes enforcement"
    named = "; ".join(f"{_who(tgid)}: {', '.join(found)}" for tgid, found in islice(held.items(), _NAMED))
    more = f"; and {len(held) - _NAMED} more, see `{instance.agent} ps`" if len(held) > _NAMED else ""
    raise AgentError(
        f"{len(held)} of {len(tgids)} are outside the promise, since they hold what undoes enforcement. {named}{more}. "
        f"Run them as a user of their own, by `exec` without --keep-capabilities or with the drop-in that "
        f"`{instance.agent} doctor --unit UNIT` prints"
    )


def _who(tgid: int) -> str:
    """`nginx[4711] of nginx.service`."""
    unit = unit_of(cgroups.of_process(tgid))
    with suppress(psutil.NoSuchProcess):
        return f"{printable(psutil.Process(tgid).name())}[{tgid}]" + (f" of {unit}" if unit else "")
    return f"[{tgid}]"


def _check(name: str, what: Callable[[], str], fatal: bool = True) -> Finding:
    try:
        return Finding(name, True, what(), fatal)
    except AgentError as error:
        return Finding(name, False, str(error), fatal)


def examine(instance: Instance) -> list[Finding]:
    """All checks, in the order in which they should be mended."""
    return [
        _check("bpf file system", _bpffs),
        _check("tracefs", _tracefs),
        _check("kernel", _kernel),
        _check("cgroup v2", _cgroup2),
        _check("BCC", _bcc, fatal=False),
        _check("kernel headers", _headers, fatal=False),
        _check("programs", lambda: _loads(instance)),
        _check("attached", lambda: _attached(instance), fatal=False),
        *([_check("identity", lambda: _identity(instance), fatal=False)] if _is_enrolled(instance) else []),
        *([_check("tagged processes", lambda: _inside(instance), fatal=False)] if instance.pins.exists() else []),
        *([_check("trust", lambda: _trust(instance), fatal=False)] if enrol.read(instance.state) else []),
        _check("BPF LSM", lambda: _tier(instance), fatal=False),
    ]


@click.command("doctor", short_help="Check whether this host can enforce.")
@click.option("--unit", metavar="U", help="Print a systemd drop-in that hardens this service instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(instance: Instance, unit: str | None, as_json: bool) -> None:
    """Probes what enforcement needs by loading it, not by reading configuration, and says how to mend what is missing.

    Exit status 0 when this host can enforce, 1 when it cannot. BCC and headers are needed only while no compiled
    image is cached. With --unit nothing is probed, and the unit need not exist on this host: the drop-in says what
    each of its lines closes, and how to apply it.

    \b
    Examples:
      landfast-agent doctor
      landfast-agent doctor --json
      landfast-agent doctor --unit feed-ingest.service
    """
    if unit is not None:
        _print_drop_in(hardening.unit_name(unit), instance, as_json)
        return
    require_root()
    findings = examine(instance)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            mark = "ok" if finding.ok else "MISSING" if finding.fatal else "note"
            click.echo(paragraph(f"{mark:8}{finding.name}: {finding.detail}", 8))
        click.echo(_conclusion(findings))
    sys.exit(1 if any(finding.fatal and not finding.ok for finding in findings) else 0)


def _conclusion(findings: list[Finding]) -> str:
    missing = [finding.name for finding in findings if finding.fatal and not finding.ok]
    return f"\nThis host cannot enforce. Mend first: {missing[0]}" if missing else "\nThis host can enforce."


def _print_drop_in(unit: str, instance: Instance, as_json: bool) -> None:
    text, path = hardening.drop_in(unit, instance.agent), hardening.path(unit)
    click.echo(json.dumps({"unit": unit, "path": path, "text": text}) if as_json else text, nl=as_json)
