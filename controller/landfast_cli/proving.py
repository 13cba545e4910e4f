"""One entry of the log, proved to who has nothing of it but the log's key."""

from collections.abc import Iterator
from datetime import UTC, datetime

from landfast.tlog import bundle, merkle, minimum, tiles
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.proof import Proof
from landfast.tlog.tiles import CHECKPOINT, ENTRIES, WIDTH
from landfast.tlog.tree import Read, Tree
from landfast.v1.audit_pb2 import SubscribeResponse
from landfast_cli import printing
from landfast_cli.errors import BadInputError
from landfast_cli.matching import Filter


def prove(read: Read, key: VerifierKey, index: int) -> Proof:
    """Raises TlogError when the log does not hold together, PrunedError when the entry is not kept any more,
    BadInputError when the log does not reach to `index`."""
    note = read(CHECKPOINT)
    tree = Tree(Checkpoint.open(note, key), read)
    if index >= tree.size:
        raise BadInputError(f"index {index}: the newest checkpoint tells of entries 0 to {tree.size - 1}")
    minimum.check(read, tree.size, index)
    tile = tiles.at(ENTRIES, index // WIDTH, tree.size)
    entry = bundle.decode(read(tile.path), tile.width)[index % WIDTH]
    if merkle.leaf_hash(entry) != tree.tile(0, tile.index)[index % WIDTH]:
        raise TlogError(f"entry {index} is not the one that the tree has ({tile.path})")
    return Proof.make(tree, index, entry, note)


def lines(proof: Proof, checkpoint: Checkpoint) -> Iterator[str]:
    """What is proved, and what the entry says: a line for each event."""
    entry = Entry.decode(proof.entry)
    stored = datetime.fromtimestamp(entry.received_ns / 10**9, UTC)
    yield f"entry {proof.index} of {checkpoint.origin}, stored {stored:%Y-%m-%d %H:%M:%S} UTC: proved"
    response = SubscribeResponse(index=proof.index)
    if entry.kind == Kind.BATCH:
        response.batch = entry.content
    else:
        response.control = entry.content
    yield from printing.text(response, Filter(canary=True))
