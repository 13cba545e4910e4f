import sqlite3
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast import batch as batches
from landfast import event
from landfast.beginning import Beginning
from landfast.event import Event
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Verdict
from landfast_agent import spool_file
from landfast_agent.errors import Refused, Unavailable
from landfast_agent.promises import promise
from landfast_agent.spool import IN_FLIGHT, Limits, Spool, Superseded
from landfast_agent.spool_file import Mark
from tests.testbed.event_keys import public, signer
from tests.unit.recording.builders import batch, notice, record

MARK, KEY = Mark("boot/1", 136, (1, 2)), partial(signer, "hall-1")


def draft(*numbers, verdict=Verdict.ALLOW, **fields):
    """A batch without a place, of records that can be told apart by their cookies."""
    return batch([record(verdict=verdict, cookie=number) for number in numbers], host="", first_sequence=0, **fields)


def drain(spool, promised=None):
    """Everything that is sent, acknowledged window by window by who was promised it."""
    views = []
    while pending := spool.pending():
        views += [batches.decode(sealed.data) for sealed in pending]
        spool.acknowledge(pending[-1].last_sequence, promised)
    return views


def check_chain(views):
    """Every batch follows the one before, as the controller would have it."""
    last, previous = 0, b""
    for view in views:
        batches.check_follows(view, last, previous)
        data = view.message.SerializeToString(deterministic=True)
        assert batches.is_signed_by(public("hall-1"), data)
        last, previous = view.last, batches.digest(data)
    return last


def cookies(views):
    return [item.cookie for view in views for _, item in view if isinstance(item, Event)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool.sqlite"


def test_batches_come_back_in_order_numbered_and_chained(path):
    spool = Spool(path, "hall-1", KEY)
    assert spool.append([draft(1, 2), draft(3, notices=[notice()])], MARK) == 4
    assert spool.append([draft(4)], MARK) == 5
    views = drain(spool)
    assert check_chain(views) == 5
    assert cookies(views) == [1, 2, 3, 4]
    assert all(view.host == "hall-1" for view in views)


def test_everything_is_there_after_a_restart(path):
    Spool(path, "hall-1", KEY).append([draft(1)], MARK)
    spool = Spool(path, "hall-1", KEY)
    assert (spool.tip.mark, spool.tip.clean, spool.tip.next_sequence) == (MARK, False, 2)
    spool.append([draft(2)], MARK, clean=True)
    assert Spool(path, "hall-1", KEY).tip.clean
    assert check_chain(drain(spool)) == 2


def test_no_more_is_sent_than_may_be_in_flight(path):
    spool = Spool(path, "hall-1", KEY)
    for number in range(3 * IN_FLIGHT):
        spool.append([draft(number)], MARK)
    first = spool.pending()
    assert [sealed.last_sequence for sealed in first] == list(range(1, IN_FLIGHT + 1))
    spool.acknowledge(5)
    assert spool.pending()[0].last_sequence == 6
    assert spool.pending()[: IN_FLIGHT - 5] == first[5:]
    assert [sealed.last_sequence for sealed in spool.pending(after=10)] == list(range(11, 22))
    assert check_chain([batches.decode(s.data) for s in first] + drain(spool)[IN_FLIGHT - 5 :]) == 48


def test_what_was_not_sent_cannot_be_acknowledged(path):
    spool = Spool(path, "hall-1", KEY)
    spool.append([draft(number) for number in range(IN_FLIGHT + 3)], MARK)
    spool.acknowledge(10**6)
    assert spool.statistics().acknowledged == IN_FLIGHT
    assert spool.statistics().waiting_events == 3


def test_history_is_bounded_and_its_oldest_goes_first(path):
    spool = Spool(path, "hall-1", KEY, Limits(history=10_000), standalone=True)
    for number in range(200):
        spool.append([draft(number)], MARK)
    kept = [batches.decode(data) for data in spool_file.history(path)]
    assert spool.statistics().history_bytes <= 10_000
    assert cookies(kept) == list(range(200 - len(kept), 200))
    assert len(kept) > 20
    assert not spool.pending()


def test_history_can_be_read_from_a_sequence_number_on(path):
    spool = Spool(path, "hall-1", KEY)
    for number in range(100):
        spool.append([draft(number)], MARK)
    assert cookies(map(batches.decode, spool_file.history(path, after=90))) == list(range(90, 100))
    spool.close()
    assert cookies(map(batches.decode, spool_file.history(path))) == list(range(100))


def test_a_missing_spool_is_named(path):
    with pytest.raises(Unavailable, match=r"no events yet: .* does not exist"):
        list(spool_file.history(path))


def test_standalone_history_goes_on_into_the_chain_of_an_enrolled_host(path):
    alone = Spool(path, "hall-1", KEY, standalone=True)
    alone.append([draft(number) for number in range(IN_FLIGHT * 2 + 1)], MARK)
    alone.close()
    spool = Spool(path, "hall-1", KEY)
    spool.append([draft(100)], MARK)
    (sealed,) = spool.pending()
    last = list(spool_file.history(path))[-2]
    batches.check_follows(batches.decode(sealed.data), IN_FLIGHT * 2 + 1, batches.digest(last))


def test_another_host_name_begins_anew_unless_batches_wait(path):
    spool = Spool(path, "hall-1", KEY)
    spool.append([draft(1)], MARK)
    with pytest.raises(Unavailable, match=r"1 batches of host 'hall-1'.*move the file away"):
        Spool(path, "hall-2", KEY).append([draft(2)], MARK)
    spool.acknowledge(1)
    spool.close()
    other = Spool(path, "hall-2", KEY)
    assert other.tip.mark == Mark()
    assert other.append([draft(2)], MARK) == 1
    assert check_chain(drain(other)) == 1


def test_a_file_that_is_no_spool_is_named(path):
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(Unavailable, match=str(path)):
        Spool(path, "hall-1", KEY).append([draft(1)], MARK)


@pytest.mark.parametrize("version", [1, 99])
def test_another_format_is_refused(path, version):
    Spool(path, "hall-1", KEY).append([draft(1)], MARK)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(Unavailable, match=f"format {version}, this agent writes .* move the file away"):
        Spool(path, "hall-1", KEY).append([draft(1)], MARK)


def test_only_its_owner_may_read_it(path):
    Spool(path, "hall-1", KEY).append([draft(1)], MARK)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def full(path, drafts, backlog):
    """A spool that had to fold; its batches as the controller gets them."""
    spool = Spool(path, "hall-1", KEY, Limits(backlog=backlog))
    for each in drafts:
        spool.append([each], MARK)
    assert spool.statistics().backlog_bytes <= backlog
    return drain(spool)


def folded(views):
    return sum(v.message.folded.allowed for v in views), sum(v.message.folded.other for v in views)


def notices(views, kind):
    return [item for view in views for _, item in view if not isinstance(item, Event) and item.kind == kind]


def test_a_full_spool_folds_allowed_flows_and_keeps_denials(path):
    kinds = [Verdict.DENY if number % 10 == 0 else Verdict.ALLOW for number in range(300)]
    views = full(path, [draft(*range(n * 100, n * 100 + 100), verdict=v) for n, v in enumerate(kinds)], 2 << 20)
    last = check_chain(views)
    assert folded(views)[1] == 0
    assert {number // 100 for number in cookies(views)} >= set(range(0, 300, 10))
    told = notices(views, NoticeKind.NOTICE_KIND_FOLDED)
    assert len(cookies(views)) + folded(views)[0] == 30_000 == last - len(told)
    assert sum(int(each.fields["allowed"]) for each in told) == folded(views)[0]


def test_sequence_numbers_of_what_is_left_do_not_change(path):
    drafts = [draft(*range(n * 100, n * 100 + 50), *range(n * 100 + 50, n * 100 + 100)) for n in range(100)]
    for n, each in enumerate(drafts):
        each.records = each.records[: 50 * event.SIZE] + b"".join(
            record(verdict=Verdict.DENY, cookie=n * 100 + at) for at in range(50, 100)
        )
    seen = full(path, drafts, 1_150_000)
    assert folded(seen)[0] > 0
    pairs = [(sequence, item.cookie) for view in seen for sequence, item in view if isinstance(item, Event)]
    told = [sequence for view in seen for sequence, item in view if not isinstance(item, Event)]
    assert all(sequence == cookie + 1 + sum(t < sequence for t in told) for sequence, cookie in pairs)


def test_when_only_denials_are_left_the_oldest_of_them_are_folded(path):
    views = full(path, [draft(*range(n * 100, n * 100 + 100), verdict=Verdict.DENY) for n in range(300)], 2 << 20)
    assert check_chain(views) == 30_000 + len(notices(views, NoticeKind.NOTICE_KIND_FOLDED))
    assert folded(views)[0] == 0
    assert len(cookies(views)) + folded(views)[1] == 30_000
    assert cookies(views)[-100:] == list(range(29_900, 30_000))


def test_notices_are_never_folded(path):
    views = full(path, [draft(*range(100), notices=[notice(str(n))]) for n in range(200)], 1_500_000)
    started = notices(views, NoticeKind.NOTICE_KIND_AGENT_STARTED)
    assert [each.text for each in started] == [str(n) for n in range(200)]


def test_what_may_have_been_sent_is_never_folded(path):
    spool = Spool(path, "hall-1", KEY, Limits(backlog=1 << 20))
    sent: dict[int, bytes] = {}
    for n in range(300):
        spool.append([draft(*range(100))], MARK)
        for sealed in spool.pending():
            assert sent.setdefault(sealed.last_sequence, sealed.data) == sealed.data
        if n % 50 == 49:
            spool.acknowledge(spool.pending()[2].last_sequence)
    check_chain([batches.decode(data) for data in sent.values()])


def joined(path, host="hall-1"):
    """What the host says, when it enrols, of where it begins."""
    with promise(path, host) as beginning:
        return beginning


def begins(views):
    """Where what is sent begins."""
    return Beginning.of(views[0])


def keyless():
    raise Unavailable("event key: it is damaged")


def standalone(path, limits=None):
    return Spool(path, "hall-1", KEY, limits, standalone=True)


def test_a_host_that_never_recorded_begins_at_one(path):
    assert joined(path) == Beginning()
    spool = Spool(path, "hall-1", KEY)
    spool.append([draft(1), draft(2)], MARK)
    assert begins(drain(spool, spool.promised())) == Beginning()
    assert spool.promised() is None


def test_what_is_recorded_on_its_own_after_the_enrolment_is_the_controllers(path):
    """Until somebody restarts the daemon, which does not know of it."""
    alone = standalone(path)
    alone.append([draft(1), draft(2)], MARK)
    alone.append([draft(3)], MARK)
    promised = joined(path)
    assert promised == Beginning(4, alone.tip.sealed)
    for number in range(4, 4 + 3 * IN_FLIGHT):
        alone.append([draft(number)], MARK)
    assert alone.statistics().acknowledged == 3
    alone.close()
    spool = Spool(path, "hall-1", KEY)
    views = drain(spool, spool.promised())
    assert (begins(views), cookies(views)) == (promised, list(range(4, 4 + 3 * IN_FLIGHT)))
    assert joined(path) == Beginning(4 + 3 * IN_FLIGHT, spool.tip.sealed)


def test_a_daemon_that_opens_its_spool_only_after_the_enrolment(path):
    promised, alone = joined(path), standalone(path)
    alone.append([draft(1)], MARK)
    assert alone.statistics().acknowledged == 0
    spool = Spool(path, "hall-1", KEY)
    assert begins(drain(spool, spool.promised())) == promised == Beginning()


def test_folding_leaves_the_beginning_where_it_is(path):
    alone = standalone(path, Limits(backlog=1 << 20))
    alone.append([draft(1)], MARK)
    promised = joined(path)
    for n in range(300):
        alone.append([draft(*range(100))], MARK)
        if n == 200:
            assert joined(path) == promised
    spool = Spool(path, "hall-1", KEY)
    views = drain(spool, spool.promised())
    assert folded(views)[0] > 0
    assert begins(views) == promised


def test_before_there_is_a_key_everything_waits_and_is_what_a_host_begins_with(path):
    Spool(path, "hall-1", keyless, standalone=True).append([draft(1)], MARK)
    promised = joined(path)
    spool = standalone(path)
    spool.append([draft(2)], MARK)
    assert promised == Beginning()
    assert begins(drain(spool, spool.promised())) == promised


def test_what_waits_is_what_a_host_begins_with_when_it_enrols_again(path):
    spool = Spool(path, "hall-1", KEY)
    for number in range(2 * IN_FLIGHT):
        spool.append([draft(number)], MARK)
    spool.acknowledge(5)
    first = joined(path)
    assert first == begins([batches.decode(spool.pending()[0].data)])
    assert joined(path) == first
    assert begins(drain(Spool(path, "hall-1", KEY), spool.promised())) == first


def test_what_was_promised_since_is_not_acknowledged_by_who_was_connected_before(path):
    spool = Spool(path, "hall-1", KEY)
    for number in range(5):
        spool.append([draft(number)], MARK)
    spool.acknowledge(2)
    before = spool.promised()
    promised = joined(path)
    for older in (before, spool.promised()):
        with pytest.raises(Superseded, match="enrolled again"):
            spool.acknowledge(3, older)
        assert spool.statistics().acknowledged == 2
        joined(path)
    spool.acknowledge(2, before)
    views = drain(spool, spool.promised())
    assert (begins(views), views[-1].last) == (promised, 5)


def test_a_promise_that_the_controller_has_refused_is_none(path):
    alone = standalone(path)
    alone.append([draft(1)], MARK)
    with pytest.raises(Refused), promise(path, "hall-1"):
        raise Refused("the token is used up")
    alone.append([draft(2)], MARK)
    assert alone.statistics().acknowledged == 2
    with pytest.raises(Unavailable), promise(path, "hall-1"):
        raise Unavailable("no answer: the controller may have it, or not")
    alone.append([draft(3)], MARK)
    with pytest.raises(Refused), promise(path, "hall-1"):
        raise Refused("the token is used up")
    alone.append([draft(4)], MARK)
    assert alone.statistics().acknowledged == 2
    assert joined(path).first == 3


def test_batches_say_from_where_on_they_are_a_controllers(path):
    """Since the first enrolment with this chain."""
    spool = standalone(path)
    spool.append([draft(1)], MARK)
    joined(path)
    spool.append([draft(2)], MARK)
    with pytest.raises(Unavailable), promise(path, "hall-1"):
        raise Unavailable("no answer: nobody may ever know of it")
    spool = Spool(path, "hall-1", KEY)
    views = drain(spool, spool.promised())
    spool.append([draft(3)], MARK)
    joined(path)
    spool.append([draft(4)], MARK)
    views += drain(spool, spool.promised())
    assert [view.message.begins for view in views] == [2, 2, 2]
    assert [batches.decode(data).message.begins for data in spool_file.history(path)] == [0, 2, 2, 2]
    spool.close()
    joined(path, "hall-2")
    spool = Spool(path, "hall-2", partial(signer, "hall-2"))
    spool.append([draft(5)], MARK)
    assert [batches.decode(each.data).message.begins for each in spool.pending()] == [1]
    spool.acknowledge(1, spool.promised())
    joined(path)
    spool = Spool(path, "hall-1", KEY)
    spool.append([draft(6)], MARK)
    assert [batches.decode(each.data).message.begins for each in spool.pending()] == [1]


def test_a_host_that_joins_by_another_name_begins_anew(path):
    alone = standalone(path)
    alone.append([draft(1)], MARK)
    promised = joined(path, "hall-2")
    alone.append([draft(2)], MARK, clean=True)
    alone.close()
    spool = Spool(path, "hall-2", partial(signer, "hall-2"))
    spool.append([draft(3)], MARK)
    assert begins([batches.decode(spool.pending()[0].data)]) == promised == Beginning()


def test_a_spool_from_before_there_were_promises(path):
    Spool(path, "hall-1", KEY, standalone=True).append([draft(1)], MARK)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE promises")
    assert joined(path).first == 2


def test_a_spool_that_cannot_be_written_enrols_nobody(path):
    path.mkdir()
    with pytest.raises(Unavailable, match=r"spool .*: .*Is a directory.*; make room or repair the disk"):
        joined(path)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from([Verdict.ALLOW, Verdict.DENY]), st.integers(0, 2), st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_nothing_is_ever_unaccounted_for(tmp_path_factory, steps):
    """Records, verdicts, notices and clock steps in any order, a tiny spool, acknowledgements now and then."""
    spool = Spool(tmp_path_factory.mktemp("spool") / "s", "hall-1", KEY, Limits(history=1, backlog=100_000))
    views, records, total = [], 0, 0
    for at, (count, verdict, told, acknowledge) in enumerate(steps):
        numbers = range(records, records + count)
        extra = [notice() for _ in range(told)]
        spool.append([draft(*numbers, verdict=verdict, notices=extra, clock_offset_ns=at // 7)], MARK)
        records, total = records + count, total + count + told
        if acknowledge:
            views += drain(spool)
    views += drain(spool)
    told = len(notices(views, NoticeKind.NOTICE_KIND_FOLDED))
    assert check_chain(views) == total + told
    assert len(cookies(views)) + sum(folded(views)) == records
    assert cookies(views) == sorted(set(cookies(views)))


def test_the_file_shrinks_again_after_a_long_outage(path):
    spool = Spool(path, "hall-1", KEY, Limits(history=100_000))
    for _ in range(40):
        spool.append([draft(*range(400)) for _ in range(10)], MARK)
    spool.close()
    large = path.stat().st_size
    drain(spool)
    spool.close()
    assert large > 15 << 20
    assert path.stat().st_size < 3 << 20
