"""One entry of the log, proved to who has nothing of it but the log's key."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from landfast import batch, event_key
from landfast.event import printable
from landfast.tlog import bundle, merkle, minimum, tiles
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.proof import Proof
from landfast.tlog.tiles import CHECKPOINT, ENTRIES, WIDTH
from landfast.tlog.tree import Read, Tree
from landfast.v1.audit_pb2 import SubscribeResponse
from landfast_cli import printing, witnessed
from landfast_cli.errors import AnswerIsNoError, BadInputError
from landfast_cli.matching import Filter
from landfast_cli.witnessed import Required


def prove(read: Read, key: VerifierKey, index: int, required: Required) -> Proof:
    """By the newest checkpoint that the witnesses have cosigned who are required.

    Raises TlogError when the log does not hold together or they have not, PrunedError when the entry is not kept any
    more, BadInputError when the checkpoint does not reach to `index`.
    """
    note = read(CHECKPOINT)
    newest = Checkpoint.open(note, key)
    tree = Tree(newest, read)
    if required.keys:
        found = witnessed.coverage(read, key, required, newest, lambda size: tree.root_of(0, size))
        newest, note = found.note()
    if index >= newest.size:
        whose = "the newest checkpoint that is cosigned" if required.keys else "the newest checkpoint"
        raise BadInputError(f"index {index}: {whose} tells of entries 0 to {newest.size - 1}")
    minimum.check(read, tree.size, index)
    tile = tiles.at(ENTRIES, index // WIDTH, tree.size)
    entry = bundle.decode(read(tile.path), tile.width)[index % WIDTH]
    if merkle.leaf_hash(entry) != tree.tile(0, tile.index)[index % WIDTH]:
        raise TlogError(f"entry {index} is not the one that the tree has ({tile.path})")
    return Proof.make(tree, index, entry, note, newest.size)


def lines(
    proof: Proof, checkpoint: Checkpoint, cosigners: Sequence[WitnessKey], host_key: bytes | None
) -> Iterator[str]:
    """What is proved, and what the entry says: a line for each event.

    With a host's event key it must be a batch that is signed by it: else AnswerIsNoError.
    """
    entry = Entry.decode(proof.entry)
    signed = _signed(entry, host_key)
    stored = datetime.fromtimestamp(entry.received_ns / 10**9, UTC)
    yield f"entry {proof.index} of {checkpoint.origin}, stored {stored:%Y-%m-%d %H:%M:%S} UTC: proved"
    for witness in cosigners:
        yield f"cosigned by {witness.name} at {witnessed.moment(witness.cosigned_s(proof.note) or 0)}"
    yield signed
    response = SubscribeResponse(index=proof.index)
    if entry.kind == Kind.BATCH:
        response.batch = entry.content
    else:
        response.control = entry.content
    yield from printing.text(response, Filter(canary=True, heartbeats=True))


def _signed(entry: Entry, host_key: bytes | None) -> str:
    """Who says so."""
    if entry.kind != Kind.BATCH and host_key is None:
        return "recorded by the controller: no host has signed it"
    if entry.kind != Kind.BATCH:
        raise AnswerIsNoError("the entry is the controller's: no host has signed it; leave --host-key away")
    host = printable(batch.decode(entry.content).host)
    if host_key is None:
        return f"a batch of {host}; whether it has signed it is not checked: give its event key with --host-key"
    if not batch.is_signed_by(host_key, entry.content):
        raise AnswerIsNoError(f"the batch of {host} is not signed by the event key {event_key.text(host_key)}")
    return f"signed by {host} with the event key {event_key.text(host_key)}"
