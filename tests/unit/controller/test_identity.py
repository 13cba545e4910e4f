import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from landfast.identity import (
    Bundle,
    IdentityError,
    Role,
    SpiffeId,
    certificate_of,
    check_name,
    key_pem,
    new_key,
    signing_request,
    spiffe_id_of,
)
from landfast_controller.authority import Authority, requested_key

_ID = SpiffeId("landfast.internal", Role.AGENT, "hall-1.dub.example.net")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("landfast.internal")


@pytest.fixture
def bundle(authority: Authority) -> Bundle:
    key = new_key()
    leaf = authority.issue(_ID, key.public_key(), timedelta(hours=1))
    return Bundle(key_pem(key), leaf.public_bytes(Encoding.PEM), authority.pem)


@pytest.mark.parametrize("identity", [_ID, SpiffeId("d", Role.CONTROLLER), SpiffeId("d", Role.ENROL, "0af1")])
def test_ids_are_read_as_they_are_written(identity: SpiffeId) -> None:
    assert SpiffeId.parse(str(identity)) == identity


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://d/agent/x",
        "spiffe://d",
        "spiffe://d/agent",
        "spiffe://d/agent/",
        "spiffe://d/king/x",
        "spiffe://d/agent/x/y",
        "spiffe://d/agent/X",
        "spiffe:///agent/x",
        "spiffe://d/controller/x",
        "spiffe://d/agent/x?y",
        "spiffe://d/agent/../approver",
    ],
)
def test_what_is_no_id_is_refused(uri: str) -> None:
    with pytest.raises(IdentityError):
        SpiffeId.parse(uri)


@pytest.mark.parametrize("name", ["a", "0", "hall-1", "a.b-c", "a" * 253])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", ".a", "a_b", "A", "a b", "a/b", "a..b", "a" * 254, "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(IdentityError):
        check_name(name)


def test_a_certificate_tells_its_id(bundle: Bundle) -> None:
    assert spiffe_id_of(certificate_of(bundle)) == _ID


def test_an_authority_is_nobody(authority: Authority) -> None:
    with pytest.raises(IdentityError):
        spiffe_id_of(authority.certificate)


def test_a_bundle_is_read_as_it_is_written_and_is_its_owners(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    path.write_text("old")
    os.chmod(path, 0o644)
    bundle.write(path)
    assert Bundle.read(path) == bundle
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_bundle_does_not_show_its_key(bundle: Bundle) -> None:
    assert "PRIVATE" not in repr(bundle)


def test_what_is_no_bundle_is_refused_naming_the_file(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "identity.pem"
    for content in (b"", b"\xff\x00", bundle.key, bundle.certificate + bundle.key + bundle.authority):
        path.write_bytes(content)
        with pytest.raises(IdentityError, match=r"identity\.pem is not an identity file"):
            Bundle.read(path)


def test_a_failed_write_leaves_nothing_behind(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "identity.pem").mkdir()
    with pytest.raises(OSError, match="directory"):
        bundle.write(tmp_path / "identity.pem")
    assert [path.name for path in tmp_path.iterdir()] == ["identity.pem"]


def test_a_request_gives_its_key_and_no_name() -> None:
    key = new_key()
    assert requested_key(signing_request(key)) == key.public_key()


def test_no_certificate_outlives_the_authority(authority: Authority) -> None:
    leaf = authority.issue(_ID, new_key().public_key(), timedelta(days=36500))
    assert leaf.not_valid_after_utc <= authority.certificate.not_valid_after_utc


def test_a_sealed_bundle_is_opened_by_its_passphrase_alone(bundle: Bundle, tmp_path: Path) -> None:
    bundle.sealed("open sesame").write(tmp_path / "sealed.pem")
    sealed = Bundle.read(tmp_path / "sealed.pem")
    assert (sealed.is_encrypted, bundle.is_encrypted) == (True, False)
    assert sealed.opened("open sesame").key == bundle.key
    with pytest.raises(IdentityError, match="the passphrase is wrong"):
        sealed.opened("open barley")
