"""Hosts as the database knows them: what they said when they connected, and what became of each policy there."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.identity import Role
from landfast.v1.agent_pb2 import Hello, PolicyState
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.fleet_pb2 import Ban, Host
from landfast.v1.policy_pb2 import PolicyVersion
from landfast_controller import policies, schema
from landfast_controller.actions import action
from landfast_controller.callers import Caller
from landfast_controller.presence import Seat
from landfast_controller.store import Transaction

_hosts, _identities = schema.hosts, schema.identities


async def seen(transaction: Transaction, host: str) -> None:
    row = update(_hosts).where(_hosts.c.name == host)
    await transaction.connection.execute(row.values(last_seen_ns=transaction.now_ns))


async def greeted(transaction: Transaction, caller: Caller, hello: Hello) -> None:
    """Records what a host says when it connects."""
    row = update(_hosts).where(_hosts.c.name == caller.name)
    said = {"last_seen_ns": transaction.now_ns, "hello": hello.SerializeToString()}
    await transaction.connection.execute(row.values(**said))
    if hello.HasField("loaded"):
        await reported(transaction, [(caller, hello.loaded)])


async def reported(transaction: Transaction, told: Sequence[tuple[Caller, PolicyState]]) -> None:
    """Records what became of policies, in this order; what is news to us goes into the log."""
    known = await _known(transaction.connection, {caller.name for caller, _ in told})
    states, news = {}, []
    for caller, state in told:
        content = state.SerializeToString(deterministic=True)
        if known.get(caller.name) != content:
            states[caller.name] = known[caller.name] = content
            news.append((caller, state))
    if not news:
        return
    await _keep(transaction, states)
    versions = await policies.outlines(transaction.connection, {state.version for _, state in news})
    actions = (_news(caller, state, versions.get(state.version)) for caller, state in news)
    await transaction.record(*filter(None, actions))


async def _known(connection: AsyncConnection, names: Collection[str]) -> dict[str, bytes]:
    """The states that are recorded, by host."""
    rows = await connection.execute(select(_hosts.c.name, _hosts.c.policy_state).where(_hosts.c.name.in_(names)))
    return {row.name: row.policy_state for row in rows}


async def _keep(transaction: Transaction, states: Mapping[str, bytes]) -> None:
    row = update(_hosts).where(_hosts.c.name == bindparam("host"))
    now_ns = transaction.now_ns
    values = [{"host": host, "policy_state": state, "last_seen_ns": now_ns} for host, state in states.items()]
    await transaction.connection.execute(row, values)


async def rows(connection: AsyncConnection, name: str = "") -> list[Row[tuple[object, ...]]]:
    """All hosts by name, or the one that is called `name`; with `expires_ns`, when the newest certificate ends."""
    theirs = (_identities.c.role == Role.AGENT, _identities.c.name == _hosts.c.name)
    expires = select(func.max(_identities.c.expires_ns)).where(*theirs).scalar_subquery()
    query = select(_hosts, expires.label("expires_ns")).order_by(_hosts.c.name)
    return list(await connection.execute(query.where(_hosts.c.name == name) if name else query))


def message(row: Row[tuple[object, ...]], wanted: PolicyVersion | None, seat: Seat | None) -> Host:
    """The wire form of a row; `wanted` is the version that the host is to have, `seat` its presence."""
    state = (seat and seat.received) or PolicyState.FromString(row.policy_state)
    host = Host(
        name=row.name,
        connected=seat is not None,
        hello=Hello.FromString(row.hello) if row.hello else None,
        policy_state=state if state.state else None,
        proved=wanted is not None and proves(state, wanted),
        health=seat.health if seat else None,
        last_sequence=row.last_sequence,
        labels=labels(row),
        wanted=wanted.policy.version if wanted else 0,
    )
    host.enrolled.FromNanoseconds(row.enrolled_ns)
    if row.expires_ns is not None:
        host.identity_expires.FromNanoseconds(row.expires_ns)
    if row.banned_ns is not None:
        host.ban.MergeFrom(Ban(by=row.banned_by, reason=row.ban_reason))
        host.ban.since.FromNanoseconds(row.banned_ns)
    host.last_seen.FromNanoseconds(max(row.last_seen_ns, seat.last_seen_ns if seat else 0))
    return host


def labels(row: Row[tuple[object, ...]]) -> list[str]:
    return [label for label in row.labels.split(",") if label]


def proves(state: PolicyState, version: PolicyVersion) -> bool:
    """Whether `state` proves that the host's kernel holds exactly `version`."""
    applied = state.state == PolicyState.STATE_APPLIED and state.version == version.policy.version
    return applied and state.digest == version.policy.digest and state.map_digest == version.map_digest


def _news(caller: Caller, state: PolicyState, version: PolicyVersion | None) -> ControlAction | None:
    """What a state means for the log. APPLIED without a digest of the maps proves nothing, and says nothing new."""
    number = state.version
    match state.state:
        case PolicyState.STATE_REJECTED:
            words = f"refused policy {number}: {state.reason}"
            return _action(ControlAction.KIND_POLICY_REJECTED, caller, state, words)
        case PolicyState.STATE_ALTERED:
            return _altered(caller, state, f"maps altered under policy {number}: {state.reason}")
        case PolicyState.STATE_APPLIED if state.map_digest:
            return _applied(caller, state, version)
    return None


def _applied(caller: Caller, state: PolicyState, version: PolicyVersion | None) -> ControlAction:
    if version is None:
        return _altered(caller, state, f"runs policy {state.version}, which this controller does not know")
    if not proves(state, version):
        return _altered(caller, state, f"maps do not hold policy {state.version}: their digest differs")
    return _action(ControlAction.KIND_POLICY_APPLIED, caller, state, f"runs policy {state.version}")


def _altered(caller: Caller, state: PolicyState, words: str) -> ControlAction:
    return _action(ControlAction.KIND_MAPS_ALTERED, caller, state, words)


def _action(kind: ControlAction.Kind.ValueType, caller: Caller, state: PolicyState, words: str) -> ControlAction:
    digests = {"digest": state.digest.hex(), "map_digest": state.map_digest.hex()}
    return action(kind, caller.id, caller.name, f"{caller.name} {words}", version=state.version, **digests)
