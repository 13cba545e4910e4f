"""A controller's log as it is served: everything that the newest checkpoint tells of, by path."""

from landfast.tlog import minimum, tiles
from landfast.tlog.tiles import CHECKPOINT, ENTRIES
from landfast_controller import resources
from landfast_controller.store import Store


async def served(store: Store) -> dict[str, bytes]:
    """Nothing may be in the log that is not published yet."""
    size = store.head.index
    levels = [ENTRIES, *(level for level in range(64) if size // tiles.reach(level))]
    paths = [tile.path for level in levels for tile in tiles.row(level, 0, size)]
    return {path: await resources.read(store, path) for path in (CHECKPOINT, minimum.PATH, *paths)}
