import pytest

from landfast import batch
from landfast.beginning import Beginning
from landfast_controller.chain import Chain
from landfast_controller.errors import ConflictError
from tests.e2e.controller import batches


def _chain(last: int = 0, digest: bytes = b"", begun: bool = True) -> Chain:
    return Chain("hall-1", last, digest, start=3, enrolled=3 if begun else 8, begun=begun, event_key=b"")


def test_batches_that_follow_extend_it() -> None:
    chain, source = _chain(begun=False), batches.Chain("hall-1")
    for last in (5, 10, 15):
        data = source.batch()
        assert chain.extend(batch.decode(data), batch.digest(data))
        assert (chain.last_sequence, chain.last_hash, chain.begun) == (last, batch.digest(data), True)


def test_after_an_enrolment_any_batch_begins_it() -> None:
    chain = _chain(500, b"x" * 32, begun=False)
    data = batches.Chain("hall-1", first=77, previous=b"y" * 32).batch()
    assert chain.extend(batch.decode(data), batch.digest(data))
    assert (chain.last_sequence, chain.start) == (81, 8)


@pytest.mark.parametrize("last", [0, 500])
def test_a_host_is_held_to_what_it_has_said_of_its_beginning(last: int) -> None:
    source = batches.Chain("hall-1", first=77, previous=b"y" * 32)
    first, second = source.batches(2)
    for begins in (Beginning(), Beginning(76, b"y" * 32), Beginning(77, b"z" * 32), Beginning(82, batch.digest(first))):
        chain = _chain(last, b"x" * 32 if last else b"", begun=False)
        chain.beginning = begins
        with pytest.raises(ConflictError, match=rf"would begin at sequence {begins.first}, .*--host hall-1"):
            chain.extend(batch.decode(first), batch.digest(first))
        assert (chain.last_sequence, chain.begun) == (last, False)
    chain.beginning = Beginning(77, b"y" * 32)
    for data in (first, second):
        assert chain.extend(batch.decode(data), batch.digest(data))
    assert (chain.last_sequence, chain.start) == (86, 8)


def test_a_host_that_never_reported_begins_where_it_has_said_and_not_at_one() -> None:
    chain, data = _chain(begun=False), batches.Chain("hall-1").batch()
    chain.beginning = Beginning(5, b"y" * 32)
    with pytest.raises(ConflictError, match="begins at sequence 1, after the batch none"):
        chain.extend(batch.decode(data), batch.digest(data))


def test_a_host_that_goes_on_need_not_begin_where_it_has_said() -> None:
    """It was acknowledged more while it enrolled."""
    source = batches.Chain("hall-1")
    stored, following = source.batches(2)
    chain = _chain(5, batch.digest(stored), begun=False)
    chain.beginning = Beginning()
    assert chain.extend(batch.decode(following), batch.digest(following))
    assert (chain.last_sequence, chain.start) == (10, 3)


def test_after_an_enrolment_the_chain_goes_on_if_it_can() -> None:
    source = batches.Chain("hall-1")
    stored, following = source.batches(2)
    chain = _chain(5, batch.digest(stored), begun=False)
    chain.stored = frozenset((batch.digest(stored),))
    assert not chain.extend(batch.decode(stored), batch.digest(stored))
    assert not chain.begun
    assert chain.extend(batch.decode(following), batch.digest(following))
    assert (chain.last_sequence, chain.start, chain.begun) == (10, 3, True)


def test_what_is_behind_must_have_been_stored_before() -> None:
    data = batches.Chain("hall-1", first=6).batch()
    chain = _chain(10)
    assert not chain.extend(batch.decode(data), batch.digest(data))
    assert chain.last_sequence == 10


@pytest.mark.parametrize(("first", "events"), [(12, 5), (9, 5), (1, 20)])
def test_a_gap_and_an_overlap_are_refused_and_change_nothing(first: int, events: int) -> None:
    data = batches.Chain("hall-1", first=first).batch(events)
    chain = _chain(10)
    with pytest.raises(ConflictError, match=f"expected sequence 11, got {first}; .*--host hall-1"):
        chain.extend(batch.decode(data), batch.digest(data))
    assert (chain.last_sequence, chain.last_hash) == (10, b"")
