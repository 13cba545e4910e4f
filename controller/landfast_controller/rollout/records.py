"""Rollouts in the database: how far each version has come, and which hosts were given more than everybody has.

A version is written down as a host's before the host is sent it. So a controller that is killed at any moment knows
what each host may hold, and no host is ever told that an older version is the newest: it would refuse that for good
reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.v1.rollout_pb2 import Rollout
from landfast_controller import schema
from landfast_controller.rollout.denials import Reference, Sample
from landfast_controller.rollout.plan import Plan
from landfast_controller.store import Transaction

_rollouts, _placements = schema.rollouts, schema.placements


@dataclass(frozen=True)
class Progress:
    """How far a version has come. `by` and `reason` tell of the newest turn that somebody gave it."""

    version: int
    state: Rollout.State.ValueType
    stages: tuple[str, ...]
    stage: int
    since_ns: int  # in this stage
    base: int  # what hosts have that it has not reached; 0: nothing
    ignores_denials: bool  # somebody resumed it in spite of them
    by: str
    reason: str

    @property
    def plan(self) -> Plan:
        return Plan(self.version, self.stages, self.stage)

    @property
    def following(self) -> Plan:
        """The stage after this one."""
        return Plan(self.version, self.stages, self.stage + 1)

    @property
    def at_once(self) -> bool:
        return len(self.stages) == 1

    @property
    def is_conducted(self) -> bool:
        """Whether it goes on by itself."""
        return self.state == Rollout.STATE_RUNNING and not self.at_once

    @property
    def everybody(self) -> int:
        """The version that a host gets in any case."""
        return self.version if self.at_once or self.state == Rollout.STATE_DONE else self.base


@dataclass(frozen=True)
class Placed:
    """A host's row: the newest version that it was given by itself."""

    version: int
    given_ns: int
    excused: bool
    reference: Reference | None


async def newest(connection: AsyncConnection) -> Progress | None:
    """The rollout of the newest version; None while there is no policy."""
    row = (await connection.execute(select(_rollouts).order_by(_rollouts.c.version.desc()).limit(1))).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    stages, ignores = tuple(values.pop("stages").split(",")), bool(values.pop("ignores_denials"))
    return Progress(**values, stages=stages, ignores_denials=ignores)


async def begin(transaction: Transaction, version: int, stages: Sequence[str], by: str) -> int:
    """Takes the place of the rollout before, whose hosts keep what they have.

    `by` is who wants it at once, if anybody. Returns the version that everybody is to have.
    """
    before = await newest(transaction.connection)
    base = before.everybody if before else 0
    values = {
        "version": version,
        "state": Rollout.STATE_RUNNING,
        "stages": ",".join(stages),
        "stage": 0,
        "since_ns": transaction.now_ns,
        "base": base,
        "ignores_denials": 0,
        "by": by,
        "reason": "to all hosts at once" if by else "",
    }
    await transaction.connection.execute(insert(_rollouts), values)
    return version if len(stages) == 1 else base


async def turn(transaction: Transaction, version: int, state: Rollout.State.ValueType, by: str, reason: str) -> None:
    await _update(transaction, version, state=state, by=by, reason=reason)


async def advance(transaction: Transaction, version: int, stage: int) -> None:
    await _update(transaction, version, stage=stage, since_ns=transaction.now_ns)


async def ignore_denials(transaction: Transaction, version: int) -> None:
    await _update(transaction, version, ignores_denials=1)


async def _update(transaction: Transaction, version: int, **values: object) -> None:
    row = update(_rollouts).where(_rollouts.c.version == version)
    await transaction.connection.execute(row.values(**values))


async def placed(connection: AsyncConnection, above: int = 0) -> dict[str, Placed]:
    """Hosts that were given versions `above` this one by themselves."""
    rows = await connection.execute(select(_placements).where(_placements.c.version > above))
    return {row.host: Placed(row.version, row.given_ns, bool(row.excused), _reference(*row[4:])) for row in rows}


async def place(transaction: Transaction, version: int, hosts: Mapping[str, Reference | None]) -> None:
    """Gives hosts a version, with what their denials are compared with from now on, as far as that is known.

    Who has been given a newer one keeps that.
    """
    rows = [_row(transaction, version, host, reference) for host, reference in hosts.items()]
    statement = upsert(_placements)
    new = statement.excluded
    raised = statement.on_conflict_do_update(
        index_elements=["host"],
        set_={name: new[name] for name in rows[0] if name != "host"},
        where=_placements.c.version < new.version,
    )
    await transaction.connection.execute(raised, rows)


async def excuse(transaction: Transaction, hosts: Iterable[str]) -> None:
    """Sets hosts aside: nothing that they do halts the rollout any more."""
    row = update(_placements).where(_placements.c.host.in_(list(hosts)))
    await transaction.connection.execute(row.values(excused=1))


def _row(transaction: Transaction, version: int, host: str, reference: Reference | None) -> dict[str, object]:
    sample = reference.sample if reference else None
    return {
        "host": host,
        "version": version,
        "given_ns": transaction.now_ns,
        "excused": 0,
        "sampled_ns": sample.at_ns if sample else None,
        "denied": sample.denied if sample else 0,
        "would_deny": sample.would_deny if sample else 0,
        "denied_rate": reference.denied_rate if reference else 0.0,
        "would_deny_rate": reference.would_deny_rate if reference else 0.0,
    }


def _reference(
    sampled_ns: int | None, denied: int, would_deny: int, denied_rate: float, would_deny_rate: float
) -> Reference | None:
    if sampled_ns is None:
        return None
    return Reference(Sample(sampled_ns, denied, would_deny), denied_rate, would_deny_rate)
