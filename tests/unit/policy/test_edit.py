"""Single changes of an allowlist, and the rule about expired rules."""

import pytest

from landfast.policy.edit import add_rule, make_rule, remove_rule
from landfast.policy.errors import InvalidError, PolicyError
from landfast.policy.expiry import refuse_expired
from landfast.policy.model import Draft, Rule
from landfast.policy.ports import parse_port_list
from landfast.policy.source import read
from tests.unit.policy.examples import EXPIRY, NOW, draft_of


def _rule(remote: str = "203.0.113.0/24", ports: str = "tcp/443", expires: int | None = None) -> Rule:
    return make_rule(remote, parse_port_list(ports), reason="a new place", ticket="NET-1", expires=expires)


def _rules(draft: Draft) -> list[str]:
    return [str(rule) for rule in draft.classes[1].allow]


def test_add_and_remove() -> None:
    before = draft_of()
    after = add_rule(before, "pii", _rule("::ffff:203.0.113.0/120", "tcp/443,udp/5-9"), NOW)
    assert _rules(after) == ["10.20.1.0/24 any", "203.0.113.0/24 tcp/443,udp/5-9"]
    assert remove_rule(after, "pii", "203.0.113.0/24", parse_port_list("udp/5-9,tcp/443")) == before
    assert remove_rule(after, "pii", "203.0.113.0/24") == before
    assert _rules(remove_rule(before, "pii", "10.20.1.0/24")) == []


def test_same_destination_other_ports() -> None:
    draft = add_rule(draft_of(), "pii", _rule("10.20.1.0/24", "tcp/1"), NOW)
    assert _rules(draft) == ["10.20.1.0/24 any", "10.20.1.0/24 tcp/1"]
    assert _rules(remove_rule(draft, "pii", "10.20.1.0/24", parse_port_list("tcp/1"))) == ["10.20.1.0/24 any"]
    assert _rules(remove_rule(draft, "pii", "10.20.1.0/24")) == []


@pytest.mark.parametrize(
    ("name", "rule", "problem", "remedy"),
    [
        ("pi", _rule(), "no data class 'pi'", "did you mean pii?"),
        ("pii", _rule("group:hamer"), "no group:hamer", "did you mean hamar?"),
        ("pii", _rule("10.20.1.0/24", "any"), "may talk to 10.20.1.0/24 any already: backups", "remove that rule"),
        ("eea-user-data", _rule("10.20.0.0/16", "tcp/443,tcp/5432,udp/8000-8100"), "until 2027-06-30", "remove"),
        ("pii", _rule(expires=NOW), "expired at 2027-01-15T08:00:00Z", "later expiry"),
    ],
)
def test_refused_additions(name: str, rule: Rule, problem: str, remedy: str) -> None:
    with pytest.raises(InvalidError) as caught:
        add_rule(draft_of(), name, rule, NOW)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("remote", "ports", "problem", "remedy"),
    [
        ("10.20.1.0/24", "tcp/443", "no rule 10.20.1.0/24 tcp/443", "there is 10.20.1.0/24 any"),
        ("10.20.1.1/32", "any", "no rule 10.20.1.1/32 any", "did you mean 10.20.1.0/24?"),
        ("10.20.1.1/24", "any", "host bits set", "write 10.20.1.0/24"),
    ],
)
def test_refused_removals(remote: str, ports: str, problem: str, remedy: str) -> None:
    with pytest.raises(InvalidError) as caught:
        remove_rule(draft_of(), "pii", remote, parse_port_list(ports))
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(("reason", "ticket"), [("", ""), ("two\nlines", ""), ("r", "T" * 65), ("\x1b[2J", "")])
def test_texts_of_a_rule_are_checked(reason: str, ticket: str) -> None:
    with pytest.raises(InvalidError, match="write one line"):
        make_rule("10.0.0.0/8", parse_port_list("any"), reason=reason, ticket=ticket)


def test_expired_rules_may_stay_but_not_come() -> None:
    draft = draft_of()
    refuse_expired(draft, None, EXPIRY - 1)
    refuse_expired(draft, draft, EXPIRY)
    with pytest.raises(PolicyError, match=r"eea-user-data.allow: the new rule 10.20.0.0/16 .* expired at 2027-06-30"):
        refuse_expired(draft, None, EXPIRY)
    later = read(f"version: 1\ndata_classes:\n  pii:\n    allow: [{_EXPIRED}]\n", now=NOW).draft
    with pytest.raises(PolicyError, match="give it a later expiry, or none"):
        refuse_expired(later, draft, NOW)


_EXPIRED = "{to: 10.0.0.0/8, ports: [any], reason: r, expires: 2026-01-01T00:00:00Z}"
