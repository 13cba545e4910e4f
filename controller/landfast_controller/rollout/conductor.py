"""Carries rollouts out: looks at the hosts every second while one runs, decides, writes that down, and acts on it."""

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.rollout_pb2 import Rollout
from landfast_controller.actions import action
from landfast_controller.callers import Caller
from landfast_controller.errors import ConflictError, NotFoundError
from landfast_controller.rollout import decision, denials, records
from landfast_controller.rollout.decision import Advance, Decision, Finish, Give, Halt, Limits, Wait
from landfast_controller.rollout.placement import Placement
from landfast_controller.rollout.plan import Host
from landfast_controller.rollout.records import Progress
from landfast_controller.rollout.sight import Sight
from landfast_controller.store import Store, Transaction

_TICK_S, _PAUSE_S = 1.0, 0.1  # between looks at the hosts: at most, and at least

_log = structlog.get_logger()


class Conductor:
    """The one that moves rollouts on. `myself` is the controller's id, which stands in the log for what it decides."""

    def __init__(self, store: Store, placement: Placement, sight: Sight, myself: object) -> None:
        self._store, self._placement, self._sight, self._myself = store, placement, sight, myself
        self._stirred, self._watching = asyncio.Event(), False

    @property
    def limits(self) -> Limits:
        return self._sight.limits

    def stir(self) -> None:
        """To be called when there is a new version, or a rollout goes on."""
        self._watching = True
        self._stirred.set()

    def notice(self) -> None:
        """To be called when there is news of a host."""
        if self._watching:
            self._stirred.set()

    async def run(self) -> None:
        """Runs for as long as the controller. While the database cannot be written no rollout moves."""
        while True:
            self._stirred.clear()
            try:
                self._watching = await self._step()
            except SQLAlchemyError as error:
                _log.error("the rollout cannot be written down; it waits", why=str(error))
                self._watching = True
            await asyncio.sleep(_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S if self._watching else None):
                    await self._stirred.wait()

    async def look(self) -> tuple[Progress, list[Host]]:
        """The newest rollout, and what is seen of the hosts. Raises NotFoundError while there is none."""
        async with self._store.reading() as connection:
            progress = await records.newest(connection)
            if progress is None:
                raise NotFoundError("there is no policy yet; make the first one with `landfast policy apply F`")
            version = await self._placement.version(progress.version)
            return progress, await self._sight.look(connection, progress, version)

    async def pause(self, caller: Caller, reason: str) -> None:
        """Raises ConflictError when there is nothing to pause."""

        async def write(transaction: Transaction) -> None:
            progress = await _staged(transaction)
            if progress.state != Rollout.STATE_RUNNING:
                raise ConflictError(f"the rollout of policy {progress.version} does not run; `landfast rollout status`")
            await records.turn(transaction, progress.version, Rollout.STATE_PAUSED, str(caller.id), reason)
            await self._tell(transaction, ControlAction.KIND_ROLLOUT_PAUSED, caller.id, progress, f"paused: {reason}")

        await self._store.write(write)

    async def resume(self, caller: Caller, reason: str) -> None:
        """What is wrong now halts it no more. Raises ConflictError when there is nothing to resume."""
        seen, hosts = await self.look()
        having = [host for host in hosts if host.has]

        async def write(transaction: Transaction) -> None:
            progress = await _staged(transaction)
            if progress.version != seen.version or progress.state not in (Rollout.STATE_PAUSED, Rollout.STATE_HALTED):
                raise ConflictError(f"the rollout of policy {progress.version} is neither paused nor halted")
            await self._overlook(transaction, progress, having)
            await records.turn(transaction, progress.version, Rollout.STATE_RUNNING, str(caller.id), reason)
            await self._tell(transaction, ControlAction.KIND_ROLLOUT_RESUMED, caller.id, progress, f"resumed: {reason}")

        await self._store.write(write)
        self.stir()

    async def _overlook(self, transaction: Transaction, progress: Progress, having: list[Host]) -> None:
        """Hosts that have failed are set aside. Denials are no failure of one host: they may be what was wanted."""
        limits = self.limits
        failed = [host.name for host in having if decision.failure(host, limits)]
        await records.excuse(transaction, failed)
        if any(decision.trouble(host, limits) for host in having if host.name not in failed):
            await records.ignore_denials(transaction, progress.version)

    async def _step(self) -> bool:
        """Decides and acts until there is nothing but to wait. Whether there is anything to wait for."""
        while await self._is_running():
            progress, hosts = await self.look()
            if not progress.is_conducted:  # another version came in between
                continue
            decided = decision.decide(progress.plan, hosts, self.limits)
            if isinstance(decided, Wait):
                return True
            await self._act(progress, decided)
        return False

    async def _is_running(self) -> bool:
        async with self._store.reading() as connection:
            progress = await records.newest(connection)
        return progress is not None and progress.is_conducted

    async def _act(self, progress: Progress, decided: Decision) -> None:
        """Writes a decision down, and then carries it out. It is void when somebody was faster."""
        if not await self._store.write(lambda transaction: self._write(transaction, progress, decided)):
            return
        match decided:
            case Give(hosts):
                _log.info("policy given", version=progress.version, stage=progress.plan.title, hosts=sorted(hosts))
                self._placement.give(progress.version, hosts)
            case Finish():
                self._placement.reach(progress.version)
            case Halt(why):
                _log.warning("rollout halted", version=progress.version, why=why)

    async def _write(self, transaction: Transaction, progress: Progress, decided: Decision) -> bool:
        if await records.newest(transaction.connection) != progress:
            return False
        version, plan = progress.version, progress.plan
        match decided:
            case Give(hosts):
                await records.place(transaction, version, {host: self._reference(host) for host in sorted(hosts)})
            case Advance():
                await records.advance(transaction, version, plan.stage + 1)
                words = f"reaches {progress.following.title}"
                await self._tell(transaction, ControlAction.KIND_ROLLOUT_STAGE, self._myself, progress, words)
            case Finish():
                await self._end(transaction, progress, Rollout.STATE_DONE, "every host that is connected has proved it")
            case Halt(why):
                await self._end(transaction, progress, Rollout.STATE_HALTED, why)
        return True

    def _reference(self, host: str) -> denials.Reference | None:
        seat = self._sight.presence.of(host)
        return denials.reference_of(seat.samples) if seat else None

    async def _end(
        self, transaction: Transaction, progress: Progress, state: Rollout.State.ValueType, why: str
    ) -> None:
        await records.turn(transaction, progress.version, state, str(self._myself), why)
        halted = state == Rollout.STATE_HALTED
        kind = ControlAction.KIND_ROLLOUT_HALTED if halted else ControlAction.KIND_ROLLOUT_DONE
        words = f"halted in {progress.plan.title}: {why}" if halted else f"is done: {why}"
        await self._tell(transaction, kind, self._myself, progress, words)

    async def _tell(
        self,
        transaction: Transaction,
        kind: ControlAction.Kind.ValueType,
        who: object,
        progress: Progress,
        words: str,
    ) -> None:
        """Into the log."""
        text, stage = f"rollout of policy {progress.version} {words}", progress.plan.title
        await transaction.record(action(kind, who, str(progress.version), text, stage=stage))


async def _staged(transaction: Transaction) -> Progress:
    """The newest rollout. Raises ConflictError when it cannot be held up."""
    progress = await records.newest(transaction.connection)
    if progress is None or progress.at_once:
        what = f"policy {progress.version} went to all hosts at once" if progress else "there is no policy yet"
        raise ConflictError(f"{what}; take it back with `landfast policy rollback`")
    return progress
