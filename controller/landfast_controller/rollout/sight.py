"""What is seen of the hosts: the database, who is connected, and their signs of life, put together for a decision."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.v1.agent_pb2 import PolicyState
from landfast.v1.policy_pb2 import PolicyVersion
from landfast_controller import hosts
from landfast_controller.presence import Presence, Seat
from landfast_controller.rollout import denials, records
from landfast_controller.rollout.decision import Limits
from landfast_controller.rollout.plan import Host, Standing
from landfast_controller.rollout.records import Placed, Progress

_NS = 1e9
_UNMEASURED_S = 15.0  # that a host has after it has connected, to tell its counters twice: agents do every five
_FAILED = (PolicyState.STATE_REJECTED, PolicyState.STATE_ALTERED)


@dataclass
class Sight:
    """Remembers since when each host is well. That is not stored: after a restart all of them settle anew, and are
    given the time to come back before any is lost.
    """

    presence: Presence
    limits: Limits
    _began_ns: int = field(default_factory=time.time_ns)
    _well: dict[str, tuple[int, int]] = field(default_factory=dict)  # of which version, since when

    async def look(self, connection: AsyncConnection, progress: Progress, version: PolicyVersion) -> list[Host]:
        """The hosts that are neither banned nor evicted, by name."""
        placed, now_ns = await records.placed(connection), time.time_ns()
        rows = [row for row in await hosts.rows(connection) if row.banned_ns is None and row.expires_ns is not None]
        return [self._host(row, placed, (progress, version), now_ns) for row in rows]

    def _host(
        self,
        row: Row[tuple[object, ...]],
        placed: Mapping[str, Placed],
        goal: tuple[Progress, PolicyVersion],
        now_ns: int,
    ) -> Host:
        progress, version = goal
        seat, given, state = self.presence.of(row.name), placed.get(row.name), _state(row)
        heard_ns = max(row.last_seen_ns, seat.last_seen_ns if seat else 0, self._began_ns)
        silent_s = max(now_ns - heard_ns, 0) / _NS
        has = given is not None and given.version == progress.version
        if progress.everybody == progress.version:
            has = seat is not None or state.version == progress.version
        standing, said = _standing(state, version)
        return Host(
            name=row.name,
            labels=frozenset(hosts.labels(row)),
            live=seat is not None and silent_s <= self.limits.lost_after_s,
            silent_s=silent_s,
            measured=seat is None or len(seat.samples) > 1 or (now_ns - seat.since_ns) / _NS > _UNMEASURED_S,
            has=has,
            excused=given is not None and given.excused,
            standing=standing,
            well_s=self._well_s(row.name, standing, version.policy.version, now_ns),
            said=said,
            denials=() if progress.ignores_denials or not has else _denials(given, seat),
            given_ns=given.given_ns if given and given.version == progress.version else 0,
            reported=state,
        )

    def _well_s(self, name: str, standing: Standing, version: int, now_ns: int) -> float:
        if standing != Standing.PROVED:
            self._well.pop(name, None)
            return 0.0
        known, since_ns = self._well.get(name, (0, 0))
        if known != version:
            since_ns = now_ns
            self._well[name] = version, since_ns
        return (now_ns - since_ns) / _NS


def _state(row: Row[tuple[object, ...]]) -> PolicyState:
    return PolicyState.FromString(row.policy_state)


def _standing(state: PolicyState, version: PolicyVersion) -> tuple[Standing, str]:
    """What became of a version, and why it failed."""
    if hosts.proves(state, version):
        return Standing.PROVED, ""
    if state.version != version.policy.version:
        return Standing.WAITING, ""
    if state.state in _FAILED:
        what = "refused it" if state.state == PolicyState.STATE_REJECTED else "does not hold it any more"
        return Standing.FAILED, f"{what}: {state.reason or 'no reason given'}"
    if state.state == PolicyState.STATE_APPLIED and state.map_digest:
        return Standing.FAILED, "does not hold it: the digest of its maps differs"
    return Standing.WAITING, ""


def _denials(given: Placed | None, seat: Seat | None) -> tuple[denials.Denials, ...]:
    """None where the host has not told its counters: before, or since."""
    if given is None or given.reference is None or seat is None or not seat.samples:
        return ()
    return denials.since(given.reference, seat.samples)
