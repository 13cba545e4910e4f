"""Signed notes and checkpoints."""

import base64

import pytest

from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import NoteSigner, VerifierKey
from tests.unit.tlog import naive
from tests.unit.tlog.naive import SIGNER

#: The example of the package that signed notes come from, golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_example_verifies() -> None:
    key = VerifierKey.parse(PETER)
    assert str(key) == PETER
    assert key.text_of(NOTE.encode()) == NOTE.partition("\n\n")[0] + "\n"


def test_signatures_of_others_are_ignored_and_not_enough() -> None:
    peter, both = VerifierKey.parse(PETER), NOTE.encode()
    other = SIGNER.sign(peter.text_of(both)).rpartition(b"\n\n")[2]
    assert peter.text_of(both + other) == SIGNER.verifier.text_of(both + other)
    with pytest.raises(TlogError, match="has not signed"):
        SIGNER.verifier.text_of(both)


def test_every_flipped_bit_of_a_checkpoint_is_noticed() -> None:
    note = naive.published([b"one", b"two"])["checkpoint"]
    assert Checkpoint.open(note, SIGNER.verifier).size == 2
    for bit in range(8 * len(note)):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TlogError):
            Checkpoint.open(bytes(flipped), SIGNER.verifier)


@pytest.mark.parametrize(
    "text", ["a/log\n01\n{root}\n", "a/log\n-1\n{root}\n", "a/log\n1\nAAAA\n", "a/log\n1\n", "\n\n\n"]
)
def test_a_signed_text_that_is_no_checkpoint(text: str) -> None:
    signer = NoteSigner("a/log", SIGNER.key)
    note = signer.sign(text.format(root=base64.b64encode(bytes(32)).decode()))
    with pytest.raises(TlogError):
        Checkpoint.open(note, signer.verifier)


def test_a_checkpoint_of_another_log_of_the_same_key() -> None:
    note = SIGNER.sign(str(Checkpoint("elsewhere/log", 0, bytes(32))))
    with pytest.raises(TlogError, match="elsewhere"):
        Checkpoint.open(note, SIGNER.verifier)


@pytest.mark.parametrize("text", ["", "a+b", PETER.replace("c74f", "c74e"), PETER.replace("ARpc", "AhpC"), PETER[:-4]])
def test_what_is_no_verifier_key(text: str) -> None:
    with pytest.raises(TlogError, match="verifier key"):
        VerifierKey.parse(text)
