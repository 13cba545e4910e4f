"""Our log, read by tools that we did not write: pymerkle for the tree, openssl for the signature.

In memory at every small size and at the edges of tiles; and as a controller has served it and an auditor has copied it.
"""

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from pymerkle import InclusionProof, InmemoryTree, verify_inclusion

from landfast.tlog import bundle, consistency, merkle, tiles
from landfast.tlog.bundle import Kind
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.frontier import Frontier
from landfast.tlog.note import VerifierKey
from landfast.tlog.proof import Proof
from landfast.tlog.tree import Tree
from landfast_cli.mirroring import Mirror
from landfast_controller.publisher import Publisher
from landfast_controller.store import NewEntry, Store, Transaction
from tests.unit.tlog.naive import COSIGNER, SIGNER
from tests.unit.tlog.served import served

#: Before the 32 bytes of an Ed25519 key: what makes it a SubjectPublicKeyInfo (RFC 8410).
_SPKI = bytes.fromhex("302a300506032b6570032100")


def _entry(number: int) -> bytes:
    return b"entry %d" % number


def _check(sizes: list[int]) -> None:
    """Roots of all sizes, and a proof of the newest, the first and a middle entry of each."""
    foreign, frontier, files = InmemoryTree(algorithm="sha256"), Frontier(), {}
    for size in sizes:
        grown = frontier.extend(merkle.leaf_hash(_entry(number)) for number in range(frontier.size, size))
        foreign.append_entries(_entry(number) for number in range(foreign.get_size(), size))
        files |= {tile.path: hashes for tile, hashes in [*grown, *frontier.partial()]}
        assert frontier.root == (foreign.get_root() if size else merkle.EMPTY)
        tree = Tree(Checkpoint("a/log", size, frontier.root), files.__getitem__)
        for index in {0, size // 2, size - 1} if size else set():
            _check_proof(Proof.make(tree, index, _entry(index), b""), foreign.prove_inclusion(index + 1, size), tree)


def _check_proof(mine: Proof, theirs: InclusionProof, tree: Tree) -> None:
    """Our path is theirs, and theirs is convinced by it."""
    leaf = merkle.leaf_hash(mine.entry)
    told = theirs.serialize() | {"path": [each.hex() for each in (leaf, *mine.path)]}
    verify_inclusion(leaf, tree.frontier.root, InclusionProof.deserialize(told))
    assert list(theirs.path) == [leaf, *mine.path]


def test_trees_of_all_small_sizes() -> None:
    _check([*range(20), 255, 256, 257, 511, 512, 513, 1000])


def test_we_believe_that_their_trees_go_on_from_each_other() -> None:
    foreign, frontier = InmemoryTree(algorithm="sha256"), Frontier()
    foreign.append_entries(map(_entry, range(70)))
    frontier.extend(merkle.leaf_hash(_entry(number)) for number in range(70))
    newest = Checkpoint("a/log", 70, foreign.get_root())
    tree = Tree(newest, {tile.path: hashes for tile, hashes in frontier.partial()}.__getitem__)
    for size in range(1, 71):
        consistency.check(Checkpoint("a/log", size, foreign.get_root(size)), newest, consistency.prove(tree, size))


@pytest.mark.long
def test_trees_at_the_edge_of_a_level() -> None:
    _check([65_535, 65_536, 65_537])


async def test_copies_of_a_served_log(tmp_path: Path) -> None:
    await _check_served(tmp_path, [1, 255, 256, 257])


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_copies_of_a_served_log_at_the_edge_of_a_level(tmp_path: Path) -> None:
    await _check_served(tmp_path, [65_535, 65_536, 65_537])


async def _check_served(tmp_path: Path, sizes: list[int]) -> None:
    """Its first entry says by which key it is published: there is no served log without one."""
    store = await Store.create(tmp_path / "landfast.db")
    publisher = await Publisher.open(store, tmp_path, "landfast.internal")
    mirror, foreign = Mirror(tmp_path / "copy", publisher.key), InmemoryTree(algorithm="sha256")
    for size in sizes:
        await store.write(lambda transaction, size=size: _grow(transaction, size))
        await publisher.catch_up()
        mirror.update((await served(store)).__getitem__, lambda *_: None)
        _check_copy(tmp_path / "copy", foreign, size)
        _check_signature((tmp_path / "copy" / "checkpoint").read_bytes(), publisher.key, tmp_path)
    await store.close()


async def _grow(transaction: Transaction, size: int) -> None:
    numbers = range(transaction.next_index, size)
    entries = [NewEntry(Kind.CONTROL, _entry(each), hashlib.sha256(_entry(each)).digest()) for each in numbers]
    await transaction.append(entries)


def _check_copy(copy: Path, foreign: InmemoryTree, size: int) -> None:
    """From the files alone."""
    bundles = [(copy / tile.path, tile.width) for tile in tiles.row(tiles.ENTRIES, 0, size)]
    entries = [entry for path, width in bundles for entry in bundle.decode(path.read_bytes(), width)]
    foreign.append_entries(entries[foreign.get_size() :])
    _, told, root, *_ = (copy / "checkpoint").read_text().split("\n")
    assert (int(told), base64.b64decode(root)) == (size, foreign.get_root())
    tree = Tree(Checkpoint("a/log", size, foreign.get_root()), lambda path: (copy / path).read_bytes())
    for index in {0, size // 2, size - 1}:
        _check_proof(Proof.make(tree, index, entries[index], b""), foreign.prove_inclusion(index + 1, size), tree)


def test_openssl_verifies_a_checkpoint(tmp_path: Path) -> None:
    _check_signature(Checkpoint(SIGNER.name, 7, bytes(32)).sign(SIGNER), SIGNER.verifier, tmp_path)


def _check_signature(note: bytes, key: VerifierKey, tmp_path: Path) -> None:
    text, _, signature = note.decode().partition("\n\n")
    _check_with_openssl(tmp_path, key, f"{text}\n", base64.b64decode(signature.split(" ")[-1])[4:])


def test_openssl_verifies_a_cosignature(tmp_path: Path) -> None:
    """As docs/audit.md says."""
    text = str(Checkpoint(SIGNER.name, 7, bytes(32)))
    dash, name, signature = COSIGNER.cosign(text, 1679315147).removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", COSIGNER.name)
    data = base64.b64decode(signature)
    assert (data[:4], int.from_bytes(data[4:12], "big")) == (COSIGNER.verifier.id, 1679315147)
    _check_with_openssl(tmp_path, COSIGNER.verifier, f"cosignature/v1\ntime 1679315147\n{text}", data[12:])


def _check_with_openssl(where: Path, key: VerifierKey, text: str, signature: bytes) -> None:
    """As docs/audit.md says; and that it refuses another text."""
    (where / "text").write_text(text)
    (where / "signature").write_bytes(signature)
    public = _SPKI + base64.b64decode(str(key).split("+", 2)[2])[-32:]
    lines = base64.encodebytes(public).decode()
    (where / "log.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n")
    command = "openssl pkeyutl -verify -pubin -inkey log.pem -rawin -in text -sigfile signature"
    assert "Successfully" in _run(command, where, 0)
    (where / "text").write_text(f"{text}more\n")
    assert "Failure" in _run(command, where, 1)


def _run(command: str, where: Path, status: int) -> str:
    done = subprocess.run(command.split(), cwd=where, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == status, done.stderr
    return done.stdout
