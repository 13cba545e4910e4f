"""Policies on disk with their proofs."""

from pathlib import Path

import pytest

from landfast.policy import canonical
from landfast_agent.errors import Unavailable
from landfast_agent.policy_store import PolicyStore
from tests.unit.trust.deployment import Deployment


@pytest.fixture
def versions() -> list[bytes]:
    """Canonical forms of versions 1 to 23."""
    deployment = Deployment()
    for length in range(1, 24):
        deployment.policies.append(deployment.policy(f"{128 >> length % 8}.0.0.0/{8 + length % 8}"))
    return [canonical.encode(each) for each in deployment.policies]


def test_proofs_stand_beside_their_policies_and_go_with_them(tmp_path: Path, versions: list[bytes]) -> None:
    store = PolicyStore(tmp_path)
    for number, data in enumerate(versions, 1):
        store.write(number, data, b"proof %d" % number)
    assert store.versions() == list(range(23, 3, -1))
    assert [each.proof for each in store.readable()] == [b"proof %d" % number for number in range(23, 3, -1)]
    store.remove(23)
    assert {path.name for path in tmp_path.iterdir()} == {
        name for number in range(4, 23) for name in (f"{number}.json", f"{number}.targets.json")
    }


def test_what_is_damaged_is_passed_over_and_kept(tmp_path: Path, versions: list[bytes]) -> None:
    store = PolicyStore(tmp_path)
    store.write(1, versions[0])
    store.write(2, b"{", b"proof")
    assert [(each.policy.version, each.proof) for each in store.readable()] == [(1, b"")]
    assert (tmp_path / "2.json").read_bytes() == b"{"


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, versions: list[bytes]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="the policy in force stays"):
        PolicyStore(tmp_path / "file").write(1, versions[0], b"proof")
