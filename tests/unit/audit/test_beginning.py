"""What a host signs of where it begins, checked with tools that we did not write: as docs/audit.md tells it."""

import os
import subprocess
from pathlib import Path

import pytest

from landfast import event_key
from landfast.beginning import Beginning, Statement
from tests.testbed.event_keys import public, signer

_OPENSSL = r"""
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; base64 -d key; } > host.der
    { printf 'landfast enrolment v2\n'
      printf '%s\n' "$host" "$csr_sha256" "$begins" "$begins_after" | openssl dgst -sha256 -binary; } > text
    printf '%s' "$begins_signature" | base64 -d > signature
    openssl pkeyutl -verify -pubin -keyform DER -inkey host.der -rawin -in text -sigfile signature
"""


def _openssl(directory: Path, fields: dict[str, str]) -> int:
    environment = {**os.environ, **fields}
    command = ["/bin/bash", "-c", _OPENSSL]
    return subprocess.run(command, cwd=directory, env=environment, check=False, capture_output=True).returncode


@pytest.mark.parametrize("begins", [Beginning(), Beginning(4711, b"\x07" * 32)])
def test_openssl_verifies_where_a_host_begins(tmp_path: Path, begins: Beginning) -> None:
    (tmp_path / "key").write_text(event_key.text(public("hall-1")))
    fields = {"host": "hall-1", **Statement.sign(signer("hall-1"), "hall-1", b"a request", begins).fields}
    assert _openssl(tmp_path, fields) == 0
    others = {"host": "hall-2", "begins": "2", "begins_after": "08" * 32, "csr_sha256": "09" * 32}
    for name, other in others.items():
        assert _openssl(tmp_path, fields | {name: other}) == 1, name


def test_a_proof_of_the_first_version_says_nothing_of_a_beginning() -> None:
    """Nor the other way round: what is signed begins with other lines."""
    statement, key = Statement.sign(signer("hall-1"), "hall-1", b"a request", Beginning()), public("hall-1")
    assert statement.is_signed_by(key, "hall-1")
    content = event_key.enrolment_of("hall-1", b"a request")
    assert not event_key.has_signed(key, event_key.ENROLMENT, content, statement.signature)
    proof = event_key.sign(signer("hall-1"), event_key.ENROLMENT, content)
    assert not Statement(statement.beginning, statement.request, proof).is_signed_by(key, "hall-1")
    assert len({event_key.BATCH, event_key.ENROLMENT, event_key.BEGINNING}) == 3


def test_what_the_log_tells_is_read_back() -> None:
    statement = Statement.sign(signer("hall-1"), "hall-1", b"a request", Beginning(2**63 - 1, b"\x07" * 32))
    assert Statement.read({"event_key": "another field", **statement.fields}) == statement
    assert Statement.read({"event_key": "another field"}) is None
