"""python -m bench.log.unproved serve ...: the controller without hashes, signatures and checkpoints.

It takes and keeps batches as ever, and proves nothing: what the proofs cost is what it is faster by. The parts that are
left out are replaced here, in this process; the controller itself has no such switch.
"""

import asyncio
from typing import Any

from landfast.batch import BatchView
from landfast.tlog import merkle
from landfast_controller import ingest, main
from landfast_controller.chain import Chain
from landfast_controller.publisher import Publisher

_NO_HASH = bytes(32)


class _Unproved:
    """In place of `landfast.batch.Sealed`."""

    digest = _NO_HASH

    @staticmethod
    def is_signed_by(_: bytes) -> bool:
        return True


def _without_proofs() -> None:
    replaced: list[tuple[Any, str, Any]] = [
        (ingest._Arrival, "sealed", _Unproved),
        (Chain, "_check_follows", _follows_by_number),
        (merkle, "leaf_hash", lambda _: _NO_HASH),
        (Publisher, "run", _publish_nothing),
    ]
    for owner, name, instead in replaced:
        getattr(owner, name)  # it has another name now: say so
        setattr(owner, name, instead)


def _follows_by_number(chain: Chain, view: BatchView) -> None:
    if view.first != chain.last_sequence + 1:
        raise ValueError(f"{view.host}: sequence {view.first} after {chain.last_sequence}")


async def _publish_nothing(_: Publisher) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    _without_proofs()
    main.main()
