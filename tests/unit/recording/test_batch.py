from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landfast import batch as batches
from landfast.event import Event
from landfast.v1.batch_pb2 import Batch, Folded
from tests.unit.recording.builders import batch, notice, record


def test_records_take_the_first_numbers_and_notices_the_rest():
    view = batches.decode(batches.encode(batch([record(tgid=1), record(tgid=2)], [notice()], first_sequence=10)))
    assert [(sequence, type(item) is Event) for sequence, item in view] == [(10, True), (11, True), (12, False)]
    assert (view.first, view.last) == (10, 12)


def test_sealing_gives_the_bytes_that_encoding_with_the_hash_gives():
    message = batch([record()], [notice()])
    sealed = batches.seal(batches.encode(message), b"\x07" * 32)
    message.previous = b"\x07" * 32
    assert sealed == message.SerializeToString(deterministic=True)
    assert batches.seal(b"first", b"") == b"first"


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
    second = batches.seal(batches.encode(batch([record()], first_sequence=3)), batches.digest(first))
    batches.check_follows(batches.decode(second), 2, batches.digest(first))
    with pytest.raises(batches.ChainError, match="expected sequence 2, got 3"):
        batches.check_follows(batches.decode(second), 1, batches.digest(first))
    with pytest.raises(batches.ChainError, match="expected previous hash none, got"):
        batches.check_follows(batches.decode(second), 2, b"")


def test_the_seal_is_the_last_field():
    assert max(Batch.DESCRIPTOR.fields_by_number) == Batch.PREVIOUS_FIELD_NUMBER
