"""Cosignatures, and the keys of witnesses."""

import pytest

from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey, joined
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from tests.unit.tlog.naive import COSIGNER, OTHER_COSIGNER, SIGNER

#: Witnesses of the public network, and what they have cosigned at 1779573024: a checkpoint of a real log.
_PUBLIC = (
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
)
_PUBLIC_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
_PUBLIC_NOTE = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

\u2014 arche2025h1.staging.ct.transparency.dev {rfc6962}
\u2014 arche2025h1.staging.ct.transparency.dev {log}
\u2014 transparency.dev/DEV:witness-little-garden {garden}
\u2014 witness1.smartit.nu/witness1 {smartit}
\u2014 remora.n621.de {remora}
""".format(
    rfc6962="zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ"
    "55lvGt0=",
    log="ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=",
    garden="2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==",
    smartit="pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==",
    remora="2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==",
).encode()
_NOTE = Checkpoint(SIGNER.name, 7, bytes(32)).sign(SIGNER)
_TEXT = SIGNER.verifier.text_of(_NOTE)


def _cosigned(*times: int) -> bytes:
    return _NOTE + "".join(COSIGNER.cosign(_TEXT, time_s) for time_s in times).encode()


@pytest.mark.parametrize("text", _PUBLIC)
def test_what_the_public_network_cosigns_is_understood(text: str) -> None:
    key = WitnessKey.parse(text)
    assert str(key) == text
    assert key.cosigned_s(_PUBLIC_NOTE) == 1779573024
    assert Checkpoint.open(_PUBLIC_NOTE, VerifierKey.parse(_PUBLIC_LOG)).size == 1432088532
    with pytest.raises(TlogError, match="wrong signature"):
        key.text_of(_PUBLIC_NOTE.replace(b"1432088532", b"1432088533"))


def test_the_key_of_a_log_is_not_that_of_a_witness() -> None:
    with pytest.raises(TlogError, match="not a witness's key"):
        WitnessKey.parse(str(SIGNER.verifier))
    with pytest.raises(TlogError, match="not an Ed25519 verifier key"):
        VerifierKey.parse(_PUBLIC[0])


def test_a_cosignature_says_when() -> None:
    note = _cosigned(1679315147, 1679315148)
    assert COSIGNER.verifier.text_of(note) == _TEXT
    assert COSIGNER.verifier.cosigned_s(note) == 1679315148
    assert OTHER_COSIGNER.verifier.cosigned_s(note) is None
    assert SIGNER.verifier.text_of(note) == _TEXT, "to who does not know the witness it is what it was"


def test_every_flipped_bit_of_a_cosigned_checkpoint_is_noticed() -> None:
    note = _cosigned(1679315147)
    for bit in range(8 * len(note)):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TlogError):
            assert SIGNER.verifier.text_of(bytes(flipped)) == COSIGNER.verifier.text_of(bytes(flipped))


def test_a_cosignature_covers_lines_that_only_the_log_understands() -> None:
    note = SIGNER.sign(f"{_TEXT}an extension\n")
    with pytest.raises(TlogError, match="wrong signature"):
        COSIGNER.verifier.text_of(note + COSIGNER.cosign(_TEXT, 5).encode())
    whole = note + COSIGNER.cosign(f"{_TEXT}an extension\n", 5).encode()
    assert COSIGNER.verifier.cosigned_s(whole) == 5
    assert Checkpoint.open(whole, SIGNER.verifier).size == 7


def test_a_signature_of_the_log_is_no_cosignature_though_the_key_is_the_same() -> None:
    same = WitnessKey(SIGNER.name, SIGNER.verifier.public)
    assert same.signatures(_NOTE) == []
    plain = same.line(SIGNER.verifier.signatures(_NOTE)[0])
    stamped = same.line(bytes(8) + SIGNER.verifier.signatures(_NOTE)[0])
    for line in (plain, stamped):
        with pytest.raises(TlogError, match="wrong signature"):
            same.text_of(_NOTE + line.encode())


def test_a_time_after_the_largest_is_wrong() -> None:
    COSIGNER.verifier.text_of(_cosigned(2**63 - 1))
    with pytest.raises(TlogError, match="wrong signature"):
        COSIGNER.verifier.text_of(_cosigned(2**63))


def test_notes_are_joined_without_strangers() -> None:
    keys = [COSIGNER.verifier, OTHER_COSIGNER.verifier]
    one, other = _cosigned(1, 3, 2), _NOTE + OTHER_COSIGNER.cosign(_TEXT, 4).encode()
    made = joined([one, other], SIGNER.verifier, keys)
    assert made == _NOTE + (COSIGNER.cosign(_TEXT, 3) + OTHER_COSIGNER.cosign(_TEXT, 4)).encode()
    assert joined([made, one], SIGNER.verifier, keys[:1]) == _cosigned(3)
    assert joined([made], SIGNER.verifier, []) == _NOTE
    with pytest.raises(TlogError, match="wrong signature"):
        joined([_NOTE + COSIGNER.cosign("another\n", 1).encode()], SIGNER.verifier, keys)
