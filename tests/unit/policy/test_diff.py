"""Differences, item by item."""

from hypothesis import given, settings

from landfast.policy.diff import diff
from landfast.policy.model import Draft
from landfast.policy.succession import succeed
from tests.unit.policy.examples import FILE, draft_of
from tests.unit.policy.strategies import drafts


def test_every_kind_of_change() -> None:
    after = FILE
    for old, new in (
        ("    mode: audit\n    loopback: allow\n", "    loopback: deny\n"),
        ("unit: feed-ingest.service", "unit: feed-*.service"),
        ("        expires: 2027-06-30T00:00:00Z\n", ""),
        ("group:hamar", "10.9.0.0/16"),
        ("8443", "8444"),
        ("/run/systemd/notify", "/run/log"),
        ("192.0.2.0/25", "192.0.2.0/24"),
        ("  pii:", "  new: {}\n  pii:"),
    ):
        assert old in after
        after = after.replace(old, new)
    after += "  dublin: [10.0.0.0/24]\n"
    assert [str(change) for change in diff(draft_of(), draft_of(after))] == [
        "selector removed: eea-user-data unit feed-ingest.service",
        "selector added: eea-user-data unit feed-*.service",
        "rule removed: eea-user-data allow group:hamar tcp/443: failover",
        "rule removed: eea-user-data peers unix:/run/systemd/notify: readiness",
        "rule removed: eea-user-data serve 10.30.0.0/16 tcp/8443: API for the moderation tools",
        "rule added: eea-user-data allow 10.9.0.0/16 tcp/443: failover",
        "rule added: eea-user-data peers unix:/run/log: readiness",
        "rule added: eea-user-data serve 10.30.0.0/16 tcp/8444: API for the moderation tools",
        "rule changed: eea-user-data allow 10.20.0.0/16 tcp/443,tcp/5432,udp/8000-8100: "
        "replication to the second Dublin hall, NET-1412, until 2027-06-30T00:00:00Z -> "
        "replication to the second Dublin hall, NET-1412",
        "class added: new",
        "setting changed: pii mode: audit -> enforce",
        "setting changed: pii loopback: allow -> deny",
        "group added: dublin",
        "prefix added: dublin 10.0.0.0/24",
        "prefix removed: hamar 192.0.2.0/25",
        "prefix added: hamar 192.0.2.0/24",
    ]


def test_a_class_that_goes() -> None:
    without = FILE[: FILE.index("  pii:")] + FILE[FILE.index("groups:") :]
    assert [str(change) for change in diff(draft_of(), draft_of(without))] == [
        "class removed: pii",
        "rule removed: pii allow 10.20.1.0/24 any: backups",
    ]


@settings(max_examples=50, deadline=None)
@given(drafts(), drafts())
def test_no_difference_means_equal(one: Draft, other: Draft) -> None:
    assert diff(one, one) == []
    assert bool(diff(one, other)) == (one != other)
    assert diff(succeed(one, None), other) == diff(one, other)
