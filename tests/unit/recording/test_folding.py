"""A batch that was folded names exactly what its records still need."""

from ipaddress import IPv6Address

from landfast import batch as batches
from landfast.event import Event
from landfast.v1.batch_pb2 import Listener
from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import folding
from tests.unit.recording.builders import batch, flow, record

LOOPBACK = IPv6Address("::ffff:127.0.0.1").packed
REFUSED = {"verdict": Verdict.DENY, "reason": Reason.UNTAGGED_PEER, "remote": LOOPBACK, "flags": 1, "tags": 1 << 63}


def listener(port, tags=0):
    return Listener(sender=4711, remote=LOOPBACK, port=port, protocol=6, present=True, comm=f"at-{port}", tags=tags)


def refusals(*ports, first=1):
    """A batch about refusals at those ports, with their listeners and an allowed flow."""
    records = [record(), *(record(**REFUSED, remote_port=port) for port in ports)]
    names = {0: "eu", 5: "ops", 63: "last"}
    return batch(records, listeners=[listener(port, 1 << 5) for port in ports], classes=names, first_sequence=first)


def listeners_of(message):
    view = batches.decode(batches.encode(message))
    return [view.listener(item).comm for _, item in view if isinstance(item, Event) and view.listener(item)]


def test_listeners_stay_with_the_refusals_that_they_explain():
    thinned = folding.thin(refusals(80, 81), folding.allowed_flows)
    assert listeners_of(thinned) == ["at-80", "at-81"]
    assert dict(thinned.classes) == {5: "ops", 63: "last"}


def test_listeners_go_with_them():
    thinned = folding.thin(refusals(80, 81), folding.everything)
    assert (list(thinned.listeners), dict(thinned.classes)) == ([], {})


def test_the_bytes_of_folded_flows_are_kept_as_sums():
    """Not those of the records that stay, nor what stands in the same place of a decision."""
    denied = {"verdict": Verdict.WOULD_DENY}
    first = folding.thin(batch([flow(2048, 17), record(), flow(1, 1, **denied)]), folding.allowed_flows)
    assert (first.folded.allowed, first.folded.bytes_out, first.folded.bytes_in) == (2, 2048, 17)
    second = folding.thin(batch([flow(3, 4)], first_sequence=4), folding.everything)
    both = folding.thin(folding.merge(first, second), folding.everything)
    assert (both.folded.allowed, both.folded.other) == (3, 1)
    assert (both.folded.bytes_out, both.folded.bytes_in) == (2052, 22)


def test_names_of_unix_sockets_stay_with_their_records():
    unix = {"stage": Stage.UNIX, "protocol": 0, "remote_port": 0, "family": 1, "remote": bytes(16)}
    denied = {"verdict": Verdict.DENY, "reason": Reason.UNTAGGED_PEER}
    names = {5: "/run/a.sock", 6: "/run/b.sock"}
    first = folding.thin(
        batch([record(**unix, detail=5), record(**(unix | denied), detail=6)], unix_names=names), folding.allowed_flows
    )
    second = batch([record(**(unix | denied), detail=7)], unix_names={7: "@c"}, first_sequence=3)
    merged = folding.merge(first, second)
    assert merged is not None
    assert dict(merged.unix_names) == {6: "/run/b.sock", 7: "@c"}


def test_merged_batches_name_each_listener_once():
    merged = folding.merge(refusals(80, 81), refusals(81, 82, first=4))
    assert merged is not None
    assert [each.port for each in merged.listeners] == [80, 81, 82]
    assert listeners_of(merged) == ["at-80", "at-81", "at-81", "at-82"]
