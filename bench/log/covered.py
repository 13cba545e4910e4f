"""How long it takes from an event to a signed checkpoint that covers it.

A host pushes one event after the other, each in a batch of its own. Its clock begins before the batch is sent, and runs
until a reader of the controller's database sees a checkpoint that is larger than the index of the batch.
"""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bench.log.batches import Chain
from bench.log.pushing import Host

_EVERY_S = 0.037  # no divisor of the second between two checkpoints
_POLL_S = 0.004
_LAST_S = 10.0

_QUERY = """SELECT first_sequence, (SELECT size FROM checkpoint) > "index" FROM log
    WHERE host = ? AND first_sequence > ? ORDER BY first_sequence"""


class Watch:
    """Sees from beside the controller what is covered. `delays`: seconds, by sequence number."""

    def __init__(self, database: Path, host: str) -> None:
        self._database, self._host = database, host
        self.delays: dict[int, float] = {}

    def run(self, sent: dict[int, float], last: int, ends: float) -> None:
        """Until everything that is `sent` is covered; `last` is what the log holds already. Raises TimeoutError."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            while time.monotonic() < ends or len(self.delays) < len(sent):
                if time.monotonic() > ends + _LAST_S:
                    raise TimeoutError(f"{len(sent) - len(self.delays)} events are in no checkpoint after {_LAST_S} s")
                found, now = connection.execute(_QUERY, (self._host, last)).fetchall(), time.monotonic()
                for sequence in (sequence for sequence, is_covered in found if is_covered):
                    self.delays[sequence] = now - sent[sequence]
                    last = max(last, sequence)
                time.sleep(_POLL_S)


async def delays(database: Path, chain: Chain, host: Host, seconds: float) -> list[float]:
    """Of the events that `host` pushes for so many seconds."""
    watch, sent, ends = Watch(database, chain.host), dict[int, float](), time.monotonic() + seconds
    watching = asyncio.create_task(asyncio.to_thread(watch.run, sent, chain.last, ends))
    while time.monotonic() < ends:
        message = chain.pushes(1, events=1)
        sent[chain.last] = time.monotonic()
        await host.push(message)
        await asyncio.sleep(_EVERY_S)
    await watching
    return list(watch.delays.values())
