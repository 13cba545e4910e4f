"""Rule numbers and one-line descriptions."""

from landfast.policy.numbering import describe, numbered
from tests.unit.policy.examples import policy_of


def test_rules_are_counted_from_one_in_canonical_order() -> None:
    policy = policy_of()
    assert [(each.number, each.owner.name, each.kind, str(each.rule)) for each in numbered(policy)] == [
        (1, "eea-user-data", "allow", "10.20.0.0/16 tcp/443,tcp/5432,udp/8000-8100"),
        (2, "eea-user-data", "allow", "group:hamar tcp/443"),
        (3, "eea-user-data", "serve", "10.30.0.0/16 tcp/8443"),
        (4, "eea-user-data", "peers", "127.0.0.53/32 tcp/53,udp/53"),
        (5, "eea-user-data", "peers", "unix:/run/systemd/notify"),
        (6, "pii", "allow", "10.20.1.0/24 any"),
    ]


def test_descriptions() -> None:
    policy = policy_of()
    assert describe(policy, 1) == (
        "eea-user-data allow 10.20.0.0/16 tcp/443,tcp/5432,udp/8000-8100: replication to the second Dublin hall"
        " (NET-1412, until 2027-06-30T00:00:00Z)"
    )
    assert describe(policy, 5) == "eea-user-data peers unix:/run/systemd/notify: readiness"
    assert describe(policy, 7) == "rule 7 is not in policy version 1"
