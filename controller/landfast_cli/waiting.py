"""`--wait`: until a change has its approvals, and every connected host has proved the version."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from landfast.v1.agent_pb2 import PolicyState
from landfast.v1.fleet_pb2 import Host, ListHostsRequest
from landfast.v1.policy_pb2 import Change
from landfast.v1.rollout_pb2 import Rollout
from landfast_cli import output, queue, rollouts, roots
from landfast_cli.errors import AnswerIsNoError
from landfast_cli.session import TIMEOUT_S, Session

_POLL_S = 0.2

_FAILED = (PolicyState.STATE_REJECTED, PolicyState.STATE_ALTERED)


def until_done(session: Session, version: int, timeout: float) -> None:
    """Waits at most `timeout` seconds for an accepted version to reach the hosts, in stages or all of them at once.

    Raises AnswerIsNoError when its rollout halts, naming the hosts that refused, or are not done.
    """
    if rollouts.fetch(session).at_once:
        _until_proved(session, version, timeout)
    else:
        _until_rolled_out(session, version, timeout)


def _until_rolled_out(session: Session, version: int, timeout: float) -> None:
    """Tells each stage as it begins."""
    deadline, told = time.monotonic() + timeout, -1
    while True:
        rollout = rollouts.fetch(session)
        _check_going(rollout, version)
        if rollout.state == Rollout.STATE_DONE:
            break
        if told != rollout.stage:
            told = rollout.stage
            output.note(rollouts.line(rollout))
        if time.monotonic() > deadline:
            raise AnswerIsNoError(f"{rollouts.line(rollout)}; it goes on without you: landfast rollout status")
        time.sleep(_POLL_S)
    output.note(rollouts.line(rollout))


def _check_going(rollout: Rollout, version: int) -> None:
    if rollout.version != version:
        raise AnswerIsNoError(f"policy {version} was overtaken by policy {rollout.version}: landfast rollout status")
    if rollout.state == Rollout.STATE_HALTED:
        raise AnswerIsNoError(f"{rollouts.line(rollout)}; {rollouts.REMEDY}")


def _until_proved(session: Session, version: int, timeout: float) -> None:
    """The same for one that went to all hosts at once."""
    deadline = time.monotonic() + timeout
    with _progress(version) as show:
        while True:
            connected, away = _by_connection(session)
            waited_for = [host for host in connected if not _has_proved(host, version)]
            show(len(connected) - len(waited_for), len(connected))
            _check_failed(waited_for, version)
            if not waited_for:
                break
            if time.monotonic() > deadline:
                raise AnswerIsNoError(_late(waited_for, version, timeout))
            time.sleep(_POLL_S)
    output.note(_summary(version, connected, away))


def until_accepted(session: Session, number: int, timeout: float) -> None:
    """Waits at most `timeout` seconds for the approvals of a change. Raises AnswerIsNoError without them."""
    deadline, rules = time.monotonic() + timeout, roots.rules(session)
    while (change := queue.fetch(session, number)).state == Change.STATE_OPEN:
        if time.monotonic() > deadline:
            raise AnswerIsNoError(f"change {number} still waits for {queue.waiting(change, rules)}; it stays open")
        time.sleep(_POLL_S)
    if change.state != Change.STATE_ACCEPTED:
        raise AnswerIsNoError(f"change {number} is {queue.state(change)}: {change.closed_why}")


def _by_connection(session: Session) -> tuple[list[Host], list[Host]]:
    hosts = session.fleet.ListHosts(ListHostsRequest(), timeout=TIMEOUT_S).hosts
    return [host for host in hosts if host.connected], [host for host in hosts if not host.connected]


def _has_proved(host: Host, version: int) -> bool:
    return host.proved and host.policy_state.version >= version


def _check_failed(hosts: list[Host], version: int) -> None:
    failed = [host for host in hosts if host.policy_state.version >= version and host.policy_state.state in _FAILED]
    if failed:
        reasons = "; ".join(f"{host.name} ({host.policy_state.reason or 'no reason given'})" for host in failed)
        raise AnswerIsNoError(
            f"policy {version} is accepted, but refused or not held by {reasons}; "
            "mend those hosts, or take the change back (landfast policy rollback)"
        )


def _late(hosts: list[Host], version: int, timeout: float) -> str:
    return (
        f"policy {version} is accepted, but not proved within {timeout:g} s by {_names(hosts)}; "
        "look at them with `landfast fleet show`"
    )


def _summary(version: int, connected: list[Host], away: list[Host]) -> str:
    done = f"proved by {_names(connected)}" if connected else "no host is connected"
    return f"policy {version}: {done}" + (f"; not connected, get it later: {_names(away)}" if away else "")


def _names(hosts: list[Host]) -> str:
    names = [host.name for host in hosts]
    return ", ".join(names) if len(names) <= 10 else f"{', '.join(names[:10])} and {len(names) - 10} more"


@contextmanager
def _progress(version: int) -> Iterator[Callable[[int, int], None]]:
    """A line that counts, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console

    with Console(stderr=True).status(f"policy {version}") as status:
        yield lambda done, total: status.update(f"policy {version}: proved by {done} of {total} connected hosts")
