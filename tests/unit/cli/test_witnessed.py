"""What an auditor makes of cosignatures: how much of the log they cover, and whose they are."""

from pathlib import Path

import pytest

from landfast.audit.findings import Verdict
from landfast.audit.review import Expected
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import Cosigner
from landfast.tlog.errors import TlogError
from landfast.tlog.tiles import CHECKPOINT
from landfast.tlog.witness import path_of
from landfast.v1.audit_pb2 import ControlAction
from landfast_cli import proving, verification, witnessed
from landfast_cli.errors import BadInputError
from landfast_cli.mirroring import Mirror
from landfast_cli.witnessed import Required
from tests.unit.tlog import naive
from tests.unit.tlog.naive import COSIGNER, OTHER_COSIGNER, SIGNER

_STEP_S = 60


def _entry(number: int) -> bytes:
    """One that is stored in the minute `number`."""
    return Entry(
        Kind.CONTROL, number * _STEP_S * 10**9, ControlAction(subject=f"{number}").SerializeToString()
    ).encode()


_ENTRIES = [_entry(number) for number in range(300)]
_OTHERS = [_entry(7), *_ENTRIES[1:]]
_BOTH = Required((COSIGNER.verifier, OTHER_COSIGNER.verifier), 2)
_ONE = Required(_BOTH.keys, 1)


def _cosigned(entries: list[bytes], *cosigners: Cosigner) -> dict[str, bytes]:
    """The checkpoint of `entries`, cosigned when its last one was stored."""
    note = naive.published(entries)[CHECKPOINT]
    lines = "".join(each.cosign(SIGNER.verifier.text_of(note), len(entries) * _STEP_S) for each in cosigners)
    return {path_of(each.verifier): note + lines.encode() for each in cosigners}


def _log(entries: list[bytes], *cosigned: dict[str, bytes]) -> dict[str, bytes]:
    files = naive.published(entries)
    for each in cosigned:
        files |= each
    return files


def _verified(files: dict[str, bytes], required: Required, silent_after_s: int = 10**9) -> verification.Result:
    expected = Expected(frozenset(), silent_after_s)
    return verification.verify(naive.reader(files), SIGNER.verifier, expected, lambda *_: None, required=required)


def _kinds(verdict: Verdict) -> list[tuple[str, str]]:
    return [(finding.kind, finding.path) for finding in verdict.findings]


def test_what_is_covered_is_what_enough_have_cosigned() -> None:
    files = _log(_ENTRIES, _cosigned(_ENTRIES[:299], COSIGNER), _cosigned(_ENTRIES[:257], OTHER_COSIGNER))
    for required, covers in ((_BOTH, 257), (_ONE, 299)):
        result = _verified(files, required)
        assert result.integrity.holds
        assert verification.document(result)["witnesses"]["covers"] == covers
    del files[path_of(OTHER_COSIGNER.verifier)]
    assert _verified(files, _ONE).integrity.holds
    assert _kinds(_verified(files, _BOTH).integrity) == [("witness", path_of(OTHER_COSIGNER.verifier))]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (_OTHERS[:257], "a fork"),
        (_OTHERS, "a fork"),
        ([*_ENTRIES, b"more"], "it was cut"),
    ],
)
def test_a_witness_that_knows_another_history_is_believed(shown: list[bytes], why: str, tmp_path: Path) -> None:
    """Also when the others are enough."""
    files = _log(_ENTRIES, _cosigned(_ENTRIES, COSIGNER), _cosigned(shown, OTHER_COSIGNER))
    for required in (_ONE, _BOTH):
        verdict = _verified(files, required).integrity
        assert _kinds(verdict)[0] == ("witness", path_of(OTHER_COSIGNER.verifier))
        assert why in verdict.findings[0].text
    copy = Mirror(tmp_path, SIGNER.verifier)
    copy.update(naive.reader(files), lambda *_: None)
    with pytest.raises(TlogError, match=why):
        copy.keep_cosigned(naive.reader(files), _ONE).check()
    with pytest.raises(TlogError, match=why):
        proving.prove(naive.reader(files), SIGNER.verifier, 3, _ONE)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        _cosigned(_ENTRIES, OTHER_COSIGNER)[path_of(OTHER_COSIGNER.verifier)],
        naive.published(_ENTRIES)[CHECKPOINT],
        naive.published(_ENTRIES)[CHECKPOINT] + COSIGNER.cosign("another\n", 1).encode(),
        COSIGNER.cosign("a checkpoint that the log has not signed\n", 1).encode(),
    ],
)
def test_what_is_no_cosignature_of_a_witness_is_none(note: bytes) -> None:
    files = _log(_ENTRIES) | {path_of(COSIGNER.verifier): note}
    verdict = _verified(files, Required((COSIGNER.verifier,), 1)).integrity
    assert _kinds(verdict) == [("witness", path_of(COSIGNER.verifier))]


def test_a_log_that_grows_and_is_not_cosigned_any_more_is_suspicious() -> None:
    """As when the auditor is shown one history, and the witness another one from there on."""
    files = _log(_ENTRIES, _cosigned(_ENTRIES[:100], COSIGNER))
    one = Required((COSIGNER.verifier,), 1)
    assert _verified(files, one, silent_after_s=200 * _STEP_S).integrity.holds
    result = _verified(files, one, silent_after_s=198 * _STEP_S)
    assert [(each.kind, each.index) for each in result.integrity.findings] == [("witness", 100)]
    whole = _log(_ENTRIES, _cosigned(_ENTRIES, COSIGNER))
    assert _verified(whole, one, silent_after_s=0).integrity.holds


def test_the_copy_keeps_what_was_cosigned(tmp_path: Path) -> None:
    files = _log(_ENTRIES, _cosigned(_ENTRIES[:270], COSIGNER, OTHER_COSIGNER))
    copy = Mirror(tmp_path, SIGNER.verifier)
    copy.update(naive.reader(files), lambda *_: None)
    coverage = copy.keep_cosigned(naive.reader(files), _BOTH)
    coverage.check()
    kept = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == files


def test_a_proof_carries_the_cosignatures_that_are_required() -> None:
    earlier = _cosigned(_ENTRIES[:257], COSIGNER, OTHER_COSIGNER)
    files = _log(_ENTRIES, earlier, _cosigned(_ENTRIES[:299], COSIGNER))
    for required, size in ((_BOTH, 257), (_ONE, 299), (Required(), 300)):
        proof = proving.prove(naive.reader(files), SIGNER.verifier, 256, required)
        assert proof.check(SIGNER.verifier).size == size
        assert len(required.check(proof.note)) >= required.needed
    with pytest.raises(BadInputError, match="cosigned tells of entries 0 to 256"):
        proving.prove(naive.reader(files), SIGNER.verifier, 257, _BOTH)
    apart = _log(_ENTRIES, _cosigned(_ENTRIES[:257], OTHER_COSIGNER), _cosigned(_ENTRIES[:299], COSIGNER))
    with pytest.raises(TlogError, match="no checkpoint that enough witnesses have cosigned"):
        proving.prove(naive.reader(apart), SIGNER.verifier, 3, _BOTH)


def test_witnesses_are_named_by_key_or_file(tmp_path: Path) -> None:
    (tmp_path / "other.pub").write_text(f"{OTHER_COSIGNER.verifier}\n")
    made = witnessed.required((str(COSIGNER.verifier), str(tmp_path / "other.pub")), None)
    assert made == _BOTH
    assert witnessed.required((), None) == Required()


@pytest.mark.parametrize(
    ("texts", "needed", "why"),
    [
        (("nowhere.pub",), None, "nowhere.pub"),
        ((str(SIGNER.verifier),), None, "not a witness's key"),
        ((str(COSIGNER.verifier),), 2, "only 1 are named"),
        ((), 1, "only 0 are named"),
        ((str(COSIGNER.verifier), str(Cosigner("alias/w", COSIGNER.key).verifier)), None, "named twice"),
    ],
)
def test_requirements_that_cannot_be_meant(texts: tuple[str, ...], needed: int | None, why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        witnessed.required(texts, needed)


def test_any_time_that_a_witness_writes_can_be_told() -> None:
    note = naive.published(_ENTRIES)[CHECKPOINT]
    line = COSIGNER.cosign(SIGNER.verifier.text_of(note), 2**63 - 1).encode()
    result = _verified(_log(_ENTRIES) | {path_of(COSIGNER.verifier): note + line}, Required((COSIGNER.verifier,), 1))
    assert "9999-12-31" in str(result.coverage.right[0])
    assert Checkpoint.open(note + line, SIGNER.verifier).size == 300
