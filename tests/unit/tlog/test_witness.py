"""Requests to a witness: their form, and what a witness makes of them."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.tlog import merkle, witness
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.witness import Submission

#: Of the tests of github.com/transparency-dev/witness: a log of 5 entries, then of 8, and the proof.
_LOG = VerifierKey.parse("monkeys+db4d9f7e+AULaJMvTtDLHPUcUrjdDad9vDlh/PTfC2VV60JUtCfWT")
_FIVE = (
    "monkeys\n5\n41smjBUiAU70EtKlT6lIOIYtRTYxYXsDB+XHfcvu/BE=\n\n"
    "\u2014 monkeys 202fftzGl3LVoqjXfwCFZZXs8I+5G22+Ek2K0AOyBuSJ/8/CZawNF+6fNlTKOCd622pbzJNkkJFWuw9DbicZCkEx9AY=\n"
).encode()
_EIGHT = (
    "monkeys\n8\nV8K9aklZ4EPB+RMOk1/8VsJUdFZR77GDtZUQq84vSbo=\n\n"
    "\u2014 monkeys 202ffoUEboiQYpHzICeaFmoy3RNviHTpAxYrq/eO4QQVQMvu9UebKBMX2MJC76NLthZaKsnKbCA8GxrjePZhvDCH7Ag=\n"
).encode()
_PROOF = tuple(
    bytes.fromhex(each)
    for each in (
        "b9e1d62618f7fee8034e4c5010f727ab24d8e4705cb296c374bf2025a87a10d2",
        "aac66cd7a79ce4012d80762fe8eec3a77f22d1ca4145c3f4cee022e7efcd599d",
        "89d0f753f66a290c483b39cd5e9eafb12021293395fad3d4a2ad053cfbcfdc9e",
        "29e40bb79c966f4c6fe96aff6f30acfce5f3e8d84c02215175d6e018a5dee833",
    )
)
_HASH = base64.b64encode(bytes(32)).decode()

_five, _eight = Checkpoint.open(_FIVE, _LOG), Checkpoint.open(_EIGHT, _LOG)
_nothing = Checkpoint("monkeys", 0, merkle.EMPTY)


def test_a_log_that_we_did_not_make_goes_on() -> None:
    Submission(0, (), _FIVE).check(_nothing, _five)
    Submission(5, _PROOF, _EIGHT).check(_five, _eight)
    Submission(8, (), _EIGHT).check(_eight, _eight)


@pytest.mark.parametrize(
    ("old", "proof", "known", "new", "status", "why"),
    [
        (9, (), _eight, _eight, 400, "does not shrink"),
        (0, (), _five, _eight, 409, "5 are known"),
        (0, _PROOF, _five, _eight, 409, "5 are known"),
        (5, _PROOF, _eight, _eight, 409, "8 are known"),
        (5, _PROOF, _nothing, _eight, 409, "0 are known"),
        (5, (), _five, Checkpoint("monkeys", 5, bytes(32)), 409, "a fork"),
        (0, (), _nothing, Checkpoint("monkeys", 0, bytes(32)), 409, "a fork"),
        (5, _PROOF[1:], _five, _eight, 422, "not proved"),
        (5, (*_PROOF, bytes(32)), _five, _eight, 422, "not proved"),
        (5, _PROOF, _five, Checkpoint("monkeys", 8, bytes(32)), 422, "not proved"),
        (5, _PROOF, Checkpoint("monkeys", 5, bytes(32)), _eight, 422, "not proved"),
        (0, (bytes(32),), _nothing, _five, 422, "not proved"),
        (5, (bytes(32),), _five, _five, 422, "not proved"),
    ],
)
def test_what_is_not_cosigned(
    old: int, proof: tuple[bytes, ...], known: Checkpoint, new: Checkpoint, status: int, why: str
) -> None:
    with pytest.raises(witness.RefusedError, match=why) as refused:
        Submission(old, proof, b"").check(known, new)
    assert refused.value.status == status
    if isinstance(refused.value, witness.OtherSizeError):
        assert refused.value.known == known.size


def test_the_request_of_the_specification() -> None:
    hashes = ["PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk="]
    body = "".join(f"{line}\n" for line in ["old 20852014", *hashes, ""]).encode() + _EIGHT
    found = Submission.decode(body)
    assert (found.old, found.note) == (20852014, _EIGHT)
    assert [base64.b64encode(each).decode() for each in found.proof] == hashes
    assert found.encode() == body


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_a_request_comes_back_as_it_went(old: int, proof: list[bytes]) -> None:
    found = Submission.decode(Submission(old, proof, _EIGHT).encode())
    assert found == Submission(old, tuple(proof), _EIGHT)


@pytest.mark.parametrize(
    "head",
    [
        *(
            "",
            "old\n\n",
            "old 5\n",
            "old 05\n\n",
            "old -5\n\n",
            "old  5\n\n",
            "Old 5\n\n",
            "old 5 \n\n",
            "old 5\r\n\r\n",
        ),
        *("\nold 5\n\n", f"old 5\n{_HASH}", f"old 5\n{_HASH[:-1]}\n\n", f"old 5\n{_HASH}={_HASH}\n\n"),
        *(f"old 5\n{64 * f'{_HASH}{chr(10)}'}\n", f"{_HASH}\n\n", "old 10000000000000000000\n\n", "old \u0665\n\n"),
    ],
)
def test_what_is_no_request(head: str) -> None:
    with pytest.raises(witness.RefusedError, match="not a request"):
        Submission.decode(head.encode() + _EIGHT)


@pytest.mark.parametrize("answer", [b"", b"5", b"05\n", b"-5\n", b"5\n5\n", b" 5\n", b"five\n", b"\xff\n"])
def test_what_is_no_size(answer: bytes) -> None:
    with pytest.raises(TlogError):
        witness.size_of(answer)
    assert witness.size_of(witness.size_line(0)) == 0
