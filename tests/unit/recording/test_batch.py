import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landfast import batch as batches
from landfast import event_key
from landfast.event import Event
from landfast.v1.batch_pb2 import Batch, Folded
from tests.testbed.event_keys import public, signer
from tests.unit.recording.builders import batch, notice, record


def test_records_take_the_first_numbers_and_notices_the_rest():
    view = batches.decode(batches.encode(batch([record(tgid=1), record(tgid=2)], [notice()], first_sequence=10)))
    assert [(sequence, type(item) is Event) for sequence, item in view] == [(10, True), (11, True), (12, False)]
    assert (view.first, view.last) == (10, 12)


@pytest.mark.parametrize("previous", [b"\x07" * 32, b""])
def test_sealing_gives_the_bytes_that_encoding_with_hash_and_signature_gives(previous):
    message = batch([record()], [notice()])
    sealed = batches.seal(batches.encode(message), previous, signer("hall-1"))
    message.previous, message.signature = previous, sealed[-64:]
    assert sealed == message.SerializeToString(deterministic=True)
    assert batches.is_signed_by(public("hall-1"), sealed)


@given(st.data())
def test_no_change_of_a_signed_batch_goes_unnoticed(data):
    """Wherever it is: in what the host says, in the chain's hash, in the signature or its tag."""
    sealed = batches.seal(batches.encode(batch([record()], [notice()])), b"\x07" * 32, signer("hall-1"))
    parts = {"body": (0, -101), "previous": (-101, -67), "tag": (-67, -64), "signature": (-64, None)}
    begin, end, _ = slice(*parts[data.draw(st.sampled_from(sorted(parts)))]).indices(len(sealed))
    at, flip = data.draw(st.integers(begin, end - 1)), data.draw(st.integers(1, 255))
    altered = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
    assert not batches.is_signed_by(public("hall-1"), altered)


@given(st.binary(max_size=200))
def test_nothing_else_is_a_signed_batch(data):
    sealed = batches.seal(batches.encode(batch([record()])), b"", signer("hall-1"))
    assert not any(
        batches.is_signed_by(public("hall-1"), each) for each in (data, sealed[:-1], sealed + data[:1] + b"x")
    )
    assert not batches.is_signed_by(public("hall-2"), sealed)


@given(st.binary(max_size=200))
def test_hashing_in_one_pass_gives_the_digest_of_all_bytes(data):
    assert batches.Sealed(data).digest == batches.digest(data)


@pytest.mark.parametrize("longer", [b"", b"\0", bytes(64)])
def test_a_signature_has_its_size(longer):
    body = b"what is signed"
    proof = event_key.sign(signer("hall-1"), event_key.ENROLMENT, body)
    assert event_key.has_signed(public("hall-1"), event_key.ENROLMENT, body, proof)
    for other in (proof + longer + b"x", longer + proof[:-1], longer):
        assert not event_key.has_signed(public("hall-1"), event_key.ENROLMENT, body, other)


def test_a_signature_of_another_kind_is_none_of_a_batch():
    body = batches.encode(batch([record()]))
    tag = batches.seal(body, b"", signer("hall-1"))[len(body) : -64]
    enrolment = event_key.sign(signer("hall-1"), event_key.ENROLMENT, body)
    assert not batches.is_signed_by(public("hall-1"), body + tag + enrolment)


_OPENSSL = r"""
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; base64 -d key; } > host.der
    { printf 'landfast batch v1\n'; head -c -67 batch | openssl dgst -sha256 -binary; } > text
    tail -c 64 batch > signature
    openssl pkeyutl -verify -pubin -keyform DER -inkey host.der -rawin -in text -sigfile signature
"""


def _openssl(directory):
    return subprocess.run(["/bin/bash", "-c", _OPENSSL], cwd=directory, check=False, capture_output=True)


def test_openssl_verifies_a_batch_by_the_key_as_people_have_it(tmp_path):
    """As docs/audit.md tells it: with tools that we did not write."""
    sealed = batches.seal(batches.encode(batch([record()] * 300)), b"\x07" * 32, signer("hall-1"))
    (tmp_path / "batch").write_bytes(sealed)
    (tmp_path / "key").write_text(event_key.text(public("hall-1")))
    assert _openssl(tmp_path).returncode == 0
    (tmp_path / "batch").write_bytes(sealed.replace(b"curl", b"wget"))
    assert _openssl(tmp_path).returncode == 1


@given(st.lists(st.sampled_from("anfo"), min_size=1, max_size=50))
def test_folding_keeps_every_sequence_number_accounted_for(kinds):
    """a, o: a record that is left, a notice; n, f: folded, allowed and other."""
    kept = [at for at, kind in enumerate(kinds) if kind == "a"]
    notices = [at for at, kind in enumerate(kinds) if kind == "o"]
    folded = Folded(allowed=kinds.count("n"), other=kinds.count("f"), offsets=kept + notices)
    message = batch([record(tgid=at) for at in kept], [notice(str(at)) for at in notices], folded=folded)
    view = batches.decode(batches.encode(message))
    assert view.last == len(kinds)
    assert [sequence - 1 for sequence, _ in view] == sorted(kept + notices)
    assert all(item.tgid == sequence - 1 for sequence, item in view if isinstance(item, Event))


def test_what_a_batch_knows_about_an_event():
    rule = {"version": 7, "rule": 3, "text": "eea-user-data allow 203.0.113.0/24 tcp/443: backups"}
    view = batches.decode(batches.encode(batch([record()], rules=[rule])))
    ((_, item),) = view
    assert view.process(item).executable == "/usr/bin/curl"
    assert view.rule(item) == rule["text"]
    assert view.classes(0b101) == ["eea-user-data", "#2"]
    assert view.unix_ns(item) == 1_700_000_001_000_000_000


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "host name has 0 characters"),
        ({"host": "h" * 254}, "host name has 254"),
        ({"boot_id": "yesterday"}, "boot_id"),
        ({"record_size": 120}, "records of 120 bytes, expected 128"),
        ({"records": [b"x" * 130]}, "not a multiple of 128"),
        ({"counters": [1, 2]}, "2 counters, expected 80"),
        ({"previous": b"short"}, "previous hash has 5 bytes"),
        ({"signature": b"short"}, "signature has 5 bytes"),
        ({"records": []}, "accounts for no event"),
        ({"first_sequence": 0}, "out of range"),
        ({"first_sequence": 2**63 - 1}, "out of range"),
        ({"folded": Folded(allowed=2**64 - 1, offsets=[0])}, "out of range"),
        ({"folded": Folded(allowed=1)}, "0 offsets for 1 records"),
        ({"folded": Folded(allowed=1, offsets=[2])}, "beyond the batch's last"),
    ],
)
def test_a_malformed_batch_is_refused_by_name(fields, words):
    with pytest.raises(batches.BatchError, match=words) as caught:
        batches.decode(batch(**({"records": [record()]} | fields)).SerializeToString())
    assert "sequence" in str(caught.value)


@pytest.mark.parametrize("offsets", [[1, 0], [1, 1]])
def test_offsets_out_of_order_are_refused(offsets):
    message = batch([record(), record()], folded=Folded(allowed=1, offsets=offsets))
    with pytest.raises(batches.BatchError, match="offsets that are"):
        batches.decode(message.SerializeToString())


def test_bytes_that_are_no_batch_are_refused():
    with pytest.raises(batches.BatchError, match="not a serialized batch"):
        batches.decode(b"\xff" * 100)
    with pytest.raises(batches.BatchError, match="the limit is 60000"):
        batches.decode(bytes(60_001))


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data):
    with suppress(batches.BatchError):
        list(batches.decode(data))


def test_too_large_a_batch_is_not_encoded():
    with pytest.raises(batches.BatchError, match="split it"):
        batches.encode(batch([record()] * 470))


def test_a_full_batch_fits():
    message = batch([record()] * batches.MAX_RECORDS, previous=b"\x01" * 32)
    assert len(batches.encode(message)) < batches.MAX_BYTES - 8000


def test_the_chain_is_checked():
    first = batches.encode(batch([record(), record()]))
    body = batches.encode(batch([record()], first_sequence=3))
    second = batches.seal(body, batches.digest(first), signer("hall-1"))
    batches.check_follows(batches.decode(second), 2, batches.digest(first))
    with pytest.raises(batches.ChainError, match="expected sequence 2, got 3"):
        batches.check_follows(batches.decode(second), 1, batches.digest(first))
    with pytest.raises(batches.ChainError, match="expected previous hash none, got"):
        batches.check_follows(batches.decode(second), 2, b"")


def test_the_seal_is_the_last_fields():
    assert sorted(Batch.DESCRIPTOR.fields_by_number)[-2:] == [Batch.PREVIOUS_FIELD_NUMBER, Batch.SIGNATURE_FIELD_NUMBER]


@given(st.binary(min_size=32, max_size=32), st.text(max_size=60))
def test_an_event_key_has_one_text(key, other):
    text = event_key.text(key)
    assert event_key.parse(text) == key
    assert len(text) == 44
    with pytest.raises(event_key.EventKeyError, match="is no event key"):
        event_key.parse(f"{text} ")
    with suppress(event_key.EventKeyError):
        assert event_key.text(event_key.parse(other)) == other
