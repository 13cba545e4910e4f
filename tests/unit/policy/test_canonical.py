"""The canonical form: one policy, one string of bytes, and nothing else is accepted."""

import json
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from landfast.policy.canonical import MAX_BYTES, decode, digest, encode
from landfast.policy.errors import PolicyError
from landfast.policy.model import Policy
from tests.unit.policy.examples import FILE, policy_of
from tests.unit.policy.strategies import policies

_T = TypeVar("_T")


def _shuffled(policy: Policy, random: Random) -> Policy:
    def mixed(values: tuple[_T, ...]) -> tuple[_T, ...]:
        return tuple(random.sample(values, len(values)))

    lists = ("select", "allow", "serve", "peers", "unix_peers")
    classes = [replace(each, **{name: mixed(getattr(each, name)) for name in lists}) for each in policy.classes]
    groups = {name: mixed(policy.groups[name]) for name in mixed(tuple(policy.groups))}
    return replace(policy, classes=mixed(tuple(classes)), groups=groups)


@settings(max_examples=100, deadline=None)
@given(policies(), st.randoms())
def test_round_trip_and_order(policy: Policy, random: Random) -> None:
    data = encode(policy)
    assert decode(data) == policy
    assert encode(_shuffled(policy, random)) == data


def test_the_order_of_the_file_leaves_no_trace() -> None:
    document = FILE.replace("[udp/53, tcp/53]", "[tcp/53, udp/53]")
    turned = document.replace("unit: feed-ingest.service", "cgroup: /x").replace(
        "cgroup: /landfast.slice/eea/*", "unit: feed-ingest.service"
    )
    turned = turned.replace("cgroup: /x", "cgroup: /landfast.slice/eea/*")
    assert encode(policy_of(FILE)) == encode(policy_of(document)) == encode(policy_of(turned))


def test_canonical_bytes_are_what_they_always_were() -> None:
    """A change of these bytes breaks every signature and every stored policy: raise the format's name instead."""
    policy = policy_of(
        "version: 1\ndata_classes:\n  pii:\n    allow: [{to: 10.0.0.0/8, ports: [tcp/443], reason: r}]\n"
    )
    assert encode(policy) == (
        b'{"classes":[{"allow":[{"ports":[[6,443,443]],"reason":"r","remote":"10.0.0.0/8"}],"bit":0,'
        b'"forbidden_calls":"kill","loopback":"same-class","mode":"enforce","name":"pii","on_stale_policy":"hold",'
        b'"peers":[],"select":[],"serve":[],"unix_peers":[]}],"format":"landfast-policy-1","groups":{},"retired":{},'
        b'"version":1}'
    )
    assert digest(encode(policy)).hex() == "0c73bdcdae37ba7eb67173c3af23165d4d2158c17045c0357675e87d53567fa2"


_GOOD = json.loads(encode(policy_of()))


def _with(*path: str | int, value: object) -> bytes:
    """The canonical example with one value replaced; compact and sorted, as the real one."""
    document = json.loads(json.dumps(_GOOD))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


_ALLOW = ("classes", 0, "allow", 0)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff", "cannot be read"),
        (encode(policy_of()) + b"\n", "not in canonical form"),
        (b" " + encode(policy_of()), "not in canonical form"),
        (encode(policy_of()).replace(b'"retired":{}', b'"retired":{},"retired":{}'), "not in canonical form"),
        (encode(policy_of()).replace(b'"version":1', b'"version":1.0'), "cannot be read"),
        (_with("extra", value=1), "cannot be read"),
        (_with("format", value="landfast-policy-2"), "cannot be read"),
        (_with("version", value=0), "0 is no version"),
        (_with("version", value=1 << 64), "is no version"),
        (_with("version", value="1"), "cannot be read"),
        (_with("classes", 0, "bit", value=64), "bit 64"),
        (_with("classes", 0, "bit", value=-1), "bit -1"),
        (_with("classes", 0, "bit", value=1), "bit 1 is out of range or used twice"),
        (_with("retired", value={"gone": 0}), "bit 0 is out of range or used twice"),
        (_with("retired", value={"pii": 9}), "pii stands there 2 times"),
        (_with("classes", 0, "name", value="pii"), "pii stands there 2 times"),
        (_with("classes", 0, "name", value="PII"), "is no name"),
        (_with("classes", 0, "name", value="hamar"), "hamar stands there 2 times"),
        (_with("classes", 0, "mode", value="off"), "cannot be read"),
        (_with("classes", 0, "description", value="a\x1b[2J"), "cannot be printed"),
        (_with("classes", 0, "description", value=""), "not in canonical form"),
        (_with("classes", 0, "select", 0, "pattern", value="/"), "lock the host out"),
        (_with(*_ALLOW, "remote", value="10.20.0.1/16"), "host bits"),
        (_with(*_ALLOW, "remote", value="::ffff:10.20.0.0/112"), "not in normal form"),
        (_with(*_ALLOW, "remote", value="group:none"), "no group none"),
        (_with(*_ALLOW, "ports", value=[]), "no ports"),
        (_with(*_ALLOW, "ports", value=[[6, 443]]), "cannot be read"),
        (_with(*_ALLOW, "ports", value=[[6, 0, 443]]), "no ports"),
        (_with(*_ALLOW, "ports", value=[[6, 443, 442]]), "no ports"),
        (_with(*_ALLOW, "ports", value=[[6, 443, 65536]]), "no ports"),
        (_with(*_ALLOW, "ports", value=[[5, 443, 443]]), "no ports"),
        (_with(*_ALLOW, "ports", value=[[0, 443, 443]]), "no ports"),
        (_with(*_ALLOW, "ports", value=[[17, 1, 9], [6, 443, 443]]), "not in normal form"),
        (_with(*_ALLOW, "ports", value=[[6, 1, 9], [6, 5, 12]]), "not in normal form"),
        (_with(*_ALLOW, "reason", value=""), "is empty"),
        (_with(*_ALLOW, "ticket", value="x" * 65), "too long"),
        (_with(*_ALLOW, "expires", value=0), "no expiry"),
        (_with(*_ALLOW, "expires", value=1 << 40), "no expiry"),
        (_with("classes", 0, "allow", value=_GOOD["classes"][0]["allow"][::-1]), "not in canonical form"),
        (_with("classes", 0, "allow", value=_GOOD["classes"][0]["allow"][:1] * 2), "stands there 2 times"),
        (_with("classes", 0, "unix_peers", 0, "path", value="run"), "no name of a unix socket"),
        (_with("groups", "hamar", value=[]), "no prefixes"),
        (_with("groups", "hamar", value=["group:x"]), "group within a group"),
        (_with("groups", "hamar", value=["192.0.2.0/25", "192.0.2.0/25"]), "stands there 2 times"),
    ],
)
def test_anything_else_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        decode(data)
    assert problem in str(caught.value)


def test_size_is_bounded() -> None:
    with pytest.raises(PolicyError, match=f"at most {MAX_BYTES}"):
        decode(b" " * (MAX_BYTES + 1))


def test_all_findings_are_told() -> None:
    document = json.loads(_with(*_ALLOW, "remote", value="10.20.0.1/16"))
    document["version"] = 0
    with pytest.raises(PolicyError) as caught:
        decode(json.dumps(document).encode())
    assert len(caught.value.findings) == 2
