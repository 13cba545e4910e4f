"""Our log, read by tools that we did not write: pymerkle for the tree, openssl for the signature."""

import base64
import subprocess
from pathlib import Path

import pytest
from pymerkle import InclusionProof, InmemoryTree, verify_inclusion

from landfast.tlog import consistency, merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.frontier import Frontier
from landfast.tlog.note import VerifierKey
from landfast.tlog.proof import Proof
from landfast.tlog.tree import Tree
from tests.unit.tlog.naive import COSIGNER, SIGNER

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


def test_openssl_verifies_a_checkpoint(tmp_path: Path) -> None:
    """As docs/audit.md says."""
    note = Checkpoint(SIGNER.name, 7, bytes(32)).sign(SIGNER)
    text, _, signature = note.decode().partition("\n\n")
    _check_with_openssl(tmp_path, SIGNER.verifier, f"{text}\n", base64.b64decode(signature.split(" ")[-1])[4:])


def test_openssl_verifies_a_cosignature(tmp_path: Path) -> None:
    """As docs/audit.md says."""
    text = str(Checkpoint(SIGNER.name, 7, bytes(32)))
    dash, name, signature = COSIGNER.cosign(text, 1679315147).removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", COSIGNER.name)
    data = base64.b64decode(signature)
    assert (data[:4], int.from_bytes(data[4:12], "big")) == (COSIGNER.verifier.id, 1679315147)
    _check_with_openssl(tmp_path, COSIGNER.verifier, f"cosignature/v1\ntime 1679315147\n{text}", data[12:])


def _check_with_openssl(where: Path, key: VerifierKey, text: str, signature: bytes) -> None:
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
