from landfast.policy import canonical, reader
from landfast.policy.numbering import describe
from landfast.policy.succession import succeed
from landfast_agent.policy_store import PolicyStore

FILE = """
version: 1
data_classes:
  eu:
    allow:
      - {to: 10.1.0.0/16, ports: [tcp/443], reason: one}
      - {to: 10.2.0.0/16, ports: [tcp/443], reason: two, ticket: NET-2}
    serve:
      - {from: 10.3.0.0/16, ports: [tcp/8443], reason: three}
"""


def test_rules_and_classes_are_named_as_of_their_version(tmp_path):
    policy = succeed(reader.read(FILE).draft, None)
    store = PolicyStore(tmp_path / "policies")
    store.write(1, canonical.encode(policy))
    assert [store.rule_text(1, number) for number in (1, 2, 3)] == [describe(policy, number) for number in (1, 2, 3)]
    assert store.rule_text(1, 4) == "rule 4 of policy 1"
    assert store.rule_text(9, 1) == "rule 1 of policy 9"
    assert (store.class_names(1), store.class_names(9)) == ({policy.bits()["eu"]: "eu"}, {})
