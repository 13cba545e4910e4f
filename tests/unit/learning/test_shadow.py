"""What a shadow found, put into a report and read back by whoever does not trust it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast import shadow
from landfast.flows import Omission, Omitted
from landfast.impact import Impact
from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.source import read
from landfast.policy.succession import succeed
from landfast.policy.tables import compile_policy
from landfast.replay import Change, Replay
from landfast.v1.shadow_pb2 import ShadowFlow, ShadowReport
from landfast.verdict import Reason, Verdict
from tests.unit.learning.sights import sighting, sightings
from tests.unit.policy.strategies import NOWS, policies

POLICY = succeed(read("version: 1\ndata_classes:\n  eu: {}\n").draft, None)
CANDIDATE = Replay(POLICY, compile_policy(POLICY, bytes(32)), 0.0)
ALLOWED = {"verdict": Verdict.ALLOW, "reason": Reason.RULE}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_reports_of_hosts_add_up_to_what_was_seen(data: st.DataObject) -> None:
    policy = data.draw(policies())
    asked = Replay(policy, compile_policy(policy, bytes(32)), data.draw(st.sampled_from(NOWS)))
    seen = [each for each in data.draw(st.lists(sightings(), max_size=10)) if each.time_ns < 2**63]
    whole, total = Impact().of(seen, asked), Impact()
    for host in {each.flow.host for each in seen}:
        own = Impact().of((each for each in seen if each.flow.host == host), asked)
        sent = shadow.report(own, Omitted(), 0).SerializeToString()
        shadow.add(ShadowReport.FromString(sent), host, total)
    assert +total.decisions == +whole.decisions
    assert {key: vars_of(each) for key, each in total.changed.summaries.items()} == {
        key: vars_of(each) for key, each in whole.changed.summaries.items()
    }


def vars_of(summary: object) -> tuple[object, ...]:
    return tuple(getattr(summary, name) for name in ("first_ns", "last_ns", "verdicts"))


def test_the_line_for_people_and_the_fields_name_what_would_change() -> None:
    impact = Impact().of([sighting(**ALLOWED)] * 7 + [sighting("10.1.1.1", **ALLOWED), sighting()], CANDIDATE)
    found = shadow.report(impact, Omitted({Omission.CANARY: 3}), 4)
    found.digest, found.until_ns = b"\xab" * 32, 61_000_000_000
    assert shadow.words(found) == (
        "shadow abababababababab so far: 1 unchanged, 8 newly denied, 0 newly allowed, 0 newly would deny; "
        "4 events could not be judged in time"
    )
    told = shadow.fields(found)
    assert (told["seconds"], told["newly_denied"], told["missed"]) == ("61", "8", "4")
    assert told["newly_denied_1"] == "7 x eu -> 203.0.113.9 tcp/443 by curl of feed.service"
    assert told["newly_denied_2"].startswith("1 x eu -> 10.1.1.1 tcp/443")
    assert len(told) <= 16, "a notice has no room for more"


def test_a_report_fits_into_a_batch_whatever_names_it_holds() -> None:
    classes = tuple(f"{number:063}" for number in range(64))
    seen = (sighting(port=port, classes=classes, comm="x" * 5000, **ALLOWED) for port in range(1, 40))
    found = shadow.report(Impact().of(seen, CANDIDATE), Omitted(), 0)
    assert (found.newly_denied, found.ByteSize() < 17_000, len(found.flows) > 1) == (39, True, True)


@pytest.mark.parametrize(
    "broken",
    [
        ShadowFlow(change="sideways", list="allow", verdict=1),
        ShadowFlow(change="newly_denied", list="allow", verdict=99),
        ShadowFlow(change="newly_denied", list="deny", verdict=2),
        ShadowFlow(change="newly_denied", list="allow", verdict=2, remote=b"xyz"),
        ShadowFlow(change="newly_denied", list="allow", verdict=2, recorded={77: 1}),
    ],
)
def test_a_host_that_reports_nonsense_spoils_nobody_elses_report(broken: ShadowFlow) -> None:
    good = ShadowFlow(change=Change.DENIED.value, list="allow", verdict=2, reason=6, comm="a\x1b[2Jb", recorded={1: 5})
    total = Impact()
    shadow.add(ShadowReport(newly_denied=5, flows=[broken, good]), "hall\n1", total)
    ((changed, summary),) = total.flows(Change.DENIED)
    assert (changed.flow.comm, changed.flow.host, summary.count) == ("a\\x1b[2Jb", "hall\\n1", 5)


def test_what_is_no_candidate_is_refused_with_the_reason() -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        shadow.prepare(b"garbage")
    with pytest.raises(PolicyError, match="a shadow has at most 4194304: replay it with `simulate`"):
        shadow.prepare(bytes(shadow.MAX_BYTES + 1))
    assert shadow.prepare(canonical.encode(POLICY))[0] == POLICY
