"""Rounds: all witnesses are asked to cosign the same checkpoint, then the newest at that time.

The log grows faster than some of them look, and a checkpoint convinces those who want several cosignatures only if it
carries all of them. A round ends when it does, or after a while. Nobody waits for it: what is stored and published goes
on meanwhile.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from functools import partial
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from landfast.event import printable
from landfast.tlog import merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey
from landfast.tlog.errors import TlogError
from landfast.tlog.tiles import CHECKPOINT
from landfast.tlog.witness import LIMIT, path_of
from landfast_controller import proofs, resources
from landfast_controller.config import Witness
from landfast_controller.errors import ConflictError, InvalidError, RefusedError
from landfast_controller.incidents import records as incidents
from landfast_controller.incidents.rules import WITNESS, Finding
from landfast_controller.publisher import Publisher
from landfast_controller.store import Store, Transaction
from landfast_controller.witnesses import records
from landfast_controller.witnesses.asking import Asking, OtherHistoryError

_LOOK_S = 0.5  # between looks at what has changed
_ROUND_S = 60.0  # a round that somebody misses; twice as long as a witness takes that looks by itself
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0  # between attempts

_log = structlog.get_logger()


class Rounds:
    """`silent_s`: how long a witness may cosign nothing, while the log grows, before that is an incident."""

    def __init__(
        self, store: Store, publisher: Publisher, witnesses: Sequence[Witness], silent_s: float, myself: object
    ) -> None:
        self._store, self._publisher, self._witnesses = store, publisher, witnesses
        self._silent_s, self._myself = silent_s, myself
        self._keys = [witness.verifier for witness in witnesses]
        self._next = Checkpoint(publisher.key.name, 0, merkle.EMPTY), b""
        self._sizes: dict[str, int] = {}
        self._heard = dict.fromkeys(self._keys, time.monotonic())
        self._told: set[WitnessKey] = set()

    @classmethod
    async def open(
        cls, store: Store, publisher: Publisher, witnesses: Sequence[Witness], silent_s: float, myself: object
    ) -> Self:
        """Reads back what was cosigned by those who are witnesses still."""
        made = cls(store, publisher, witnesses, silent_s, myself)
        await store.write(partial(records.keep_only, keys=made._keys))
        async with store.reading() as connection:
            made._sizes = await records.sizes(connection)
        return made

    async def run(self) -> None:
        """Runs for as long as the controller, if there are witnesses."""
        async with asyncio.TaskGroup() as tasks:
            if self._witnesses:
                tasks.create_task(self._rounds())
            for witness in self._witnesses:
                if witness.url:
                    tasks.create_task(self._ask(witness))

    async def add(self, note: bytes) -> None:
        """Keeps the cosignatures of a checkpoint of this log. Raises InvalidError, or ConflictError."""
        checkpoint, cosigners = self._opened(note)
        try:
            async with self._store.reading() as connection:
                await proofs.prove(connection, checkpoint.size, checkpoint)
        except TlogError as error:
            raise ConflictError(f"the checkpoint is not of this log's history: {error}") from None
        log = self._publisher.key
        await self._store.write(partial(records.add, checkpoint=checkpoint, note=note, log=log, keys=self._keys))
        for key in cosigners:
            if checkpoint.size > self._sizes.get(path_of(key), 0):  # what comes again is no sign of life
                self._sizes[path_of(key)] = checkpoint.size
                self._heard[key] = time.monotonic()
                self._told.discard(key)

    def _opened(self, note: bytes) -> tuple[Checkpoint, list[WitnessKey]]:
        if len(note) > LIMIT:
            raise InvalidError(f"a checkpoint of {len(note)} bytes; {LIMIT} are taken at most")
        try:
            checkpoint = Checkpoint.open(note, self._publisher.key)
            cosigners = [key for key in self._keys if key.signatures(note)]
        except TlogError as error:
            raise InvalidError(str(error)) from None
        if not cosigners:
            names = ", ".join(key.name for key in self._keys) or "none"
            raise InvalidError(
                f"no witness of the controller's configuration has cosigned this; those are: {names}; an operator adds "
                "yours under [[witnesses]]"
            )
        return checkpoint, cosigners

    def _awaited(self) -> list[WitnessKey]:
        """Who has not cosigned the checkpoint of this round, and is no incident already."""
        missing = (key for key in self._keys if self._sizes.get(path_of(key), 0) < self._next[0].size)
        return [key for key in missing if key not in self._told]

    async def _rounds(self) -> None:
        while True:
            try:
                await self._begin()
                until = time.monotonic() + _ROUND_S
                while self._publisher.size == self._next[0].size or (self._awaited() and time.monotonic() < until):
                    await asyncio.sleep(_LOOK_S)
                await self._look_for_silent()
            except SQLAlchemyError as error:
                _log.warning("witnesses are asked later", why=str(error))
                await asyncio.sleep(_LOOK_S)

    async def _begin(self) -> None:
        checkpoint, note = await self._newest()
        await self._store.write(partial(records.ask, checkpoint=checkpoint, note=note))
        self._next = checkpoint, note

    async def _newest(self) -> tuple[Checkpoint, bytes]:
        note = await resources.read(self._store, CHECKPOINT)
        return Checkpoint.open(note, self._publisher.key), note

    async def _look_for_silent(self) -> None:
        for key in self._awaited():
            quiet_s = int(time.monotonic() - self._heard[key])
            _log.warning("a witness has not cosigned", witness=key.name, entries=self._next[0].size, for_s=quiet_s)
            if quiet_s > self._silent_s:
                await self._tell(key, f"it has cosigned nothing for {quiet_s} s")

    async def _ask(self, witness: Witness) -> None:
        asking = Asking(self._store, witness.url, self._sizes.get(path_of(witness.verifier), 0))
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._asked(witness.verifier, asking)
                pause = _FIRST_PAUSE_S
                await asyncio.sleep(_LOOK_S)
            except (OSError, TlogError, RefusedError, SQLAlchemyError, OtherHistoryError) as error:
                _log.warning(
                    "a witness does not cosign", witness=witness.verifier.name, why=str(error), again_in_s=pause
                )
                if isinstance(error, OtherHistoryError):
                    await self._tell(witness.verifier, str(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 # nobody gains by guessing it
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _asked(self, key: WitnessKey, asking: Asking) -> None:
        checkpoint, note = self._next
        if asking.known > checkpoint.size:  # anybody may ask a witness, and so make it go on before we do
            checkpoint, note = await self._newest()
        if self._sizes.get(path_of(key), 0) < checkpoint.size:
            await self.add(note + await asking.cosignature(checkpoint, note, self._publisher.size))
            if self._sizes.get(path_of(key), 0) < checkpoint.size:
                raise OSError("it answers without its own cosignature")

    async def _tell(self, key: WitnessKey, text: str) -> None:
        """An incident, once for as long as that goes on."""
        if key in self._told:
            return
        index = max(self._store.head.index - 1, 0)
        finding = Finding(WITNESS, printable(key.name), text, index)

        async def keep(transaction: Transaction) -> None:
            await incidents.keep(transaction, [(finding, transaction.now_ns)], self._myself)

        try:
            await self._store.write(keep)
            self._told.add(key)
        except SQLAlchemyError as error:
            _log.error("an incident cannot be written down", witness=key.name, what=text, why=str(error))
