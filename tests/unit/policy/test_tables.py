"""The compiled tables say what the rules say, for every question."""

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.policy.evaluate import evaluate
from landfast.policy.lookup import TableSlot, decide
from landfast.policy.tables import compile_policy
from tests.unit.policy.strategies import policies, questions

DIGEST = sha256(b"canonical").digest()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_tables_decide_as_the_rules_do(data: st.DataObject) -> None:
    policy = data.draw(policies())
    slot = TableSlot(compile_policy(policy, DIGEST))
    for question in data.draw(st.lists(questions(policy), min_size=5, max_size=20)):
        by_rules, by_tables = evaluate(policy, question), decide(slot, question)
        assert (by_tables.verdict, by_tables.reason, by_tables.missing) == (
            by_rules.verdict,
            by_rules.reason,
            by_rules.missing,
        )
        assert set(by_tables.rules) <= set(by_rules.rules)
