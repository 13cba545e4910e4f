"""Keys and identities in the hands of people: passphrases, and PKCS#11 tokens."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.controller.deployment import Deployment
from tests.e2e.controller.person import POLICY, Person

_MODULE = "/usr/lib/softhsm/libsofthsm2.so"
_PIN = "271828"

#: In a process of its own: a PKCS#11 library reads its configuration once.
_GENERATE = f"""
import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters
with pkcs11.lib("{_MODULE}").get_token(token_label="alice").open(rw=True, user_pin="{_PIN}") as session:
    curve = {{pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}}
    session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(id=bytes([2]), store=True)
"""


@pytest.fixture
def first(deployment: Deployment, tmp_path: Path) -> Person:
    """The first approver, logged in."""
    made = Person(deployment, tmp_path)
    made.login(deployment.directory / "first-approver.pem")
    return made


def test_a_signing_key_takes_its_passphrase(first: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    key = first.home / "own.key"
    assert "set LANDFAST_PASSPHRASE, give --passphrase-fd" in first.complains("key", "create", key, status=2)
    monkeypatch.setenv("LANDFAST_PASSPHRASE", "old")
    public = first.says("key", "create", key)
    assert first.says("key", "show", key) == public
    told = first.run("--passphrase-fd", "0", "key", "change-passphrase", key, input="old\nnew\n").stdout
    assert told == f"{key} is protected by the new passphrase\n"
    assert "the passphrase is wrong" in first.complains("key", "show", key, status=2)
    assert first.run("--passphrase-fd", "0", "key", "show", key, input="new\n").stdout == public
    done = first.run("--passphrase-fd", "0", "key", "change-passphrase", key, input="new\n", status=2)
    assert f"there is no line for new passphrase of {key}" in done.stderr
    monkeypatch.setenv("LANDFAST_PASSPHRASE", "new")
    first.run("key", "change-passphrase", key, "--no-passphrase")
    monkeypatch.delenv("LANDFAST_PASSPHRASE")
    assert first.says("key", "show", key) == public


def test_an_identity_takes_its_passphrase(first: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    name = first.deployment.name("vera")
    identity, vera = first.home / f"{name}.pem", Person(first.deployment, first.home / name)
    vera.home.mkdir()
    monkeypatch.setenv("LANDFAST_NEW_PASSPHRASE", "hers")
    first.run("identity", "create", name, "--role", "auditor", "--out", identity, "--protect")
    assert "BEGIN ENCRYPTED PRIVATE KEY" in identity.read_text()
    login = ("login", "--controller", first.deployment.address, "--identity", identity)
    assert f"passphrase of {identity} is needed" in vera.complains(*login, status=2)
    monkeypatch.setenv("LANDFAST_PASSPHRASE", "mine")
    assert "the passphrase is wrong" in vera.complains(*login, status=2)
    monkeypatch.setenv("LANDFAST_PASSPHRASE", "hers")
    vera.run(*login)
    assert name in first.says("identity", "list")
    vera.run("key", "change-passphrase", identity, "--no-passphrase")
    monkeypatch.delenv("LANDFAST_PASSPHRASE")
    vera.json("fleet", "list")


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a P-256 key on a token of its own, in software."""
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    make = ("softhsm2-util", "--init-token", "--free", "--label", "alice", "--so-pin", "314159", "--pin", _PIN)
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", _GENERATE], check=True)
    return f"pkcs11:token=alice;id=%02?module-path={_MODULE}"


def test_a_key_on_a_token_approves(
    fragile: Deployment, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Person(fragile, tmp_path)
    first.login(fragile.directory / "first-approver.pem")
    public = first.says("key", "show", token).strip()
    assert len(public) == 66
    alice = Person(fragile, tmp_path / "alice")
    alice.home.mkdir()
    identity = alice.home / "alice.pem"
    first.run("identity", "create", "alice", "--role", "approver", "--out", identity)
    alice.run("login", "--controller", fragile.address, "--identity", identity, "--key", token)
    root, offline = tmp_path / "2.root.json", fragile.directory / "offline"
    first.run("trust", "draft", "--approver", f"alice={public}", "--out", root)
    for key in (offline / "root-1.key", offline / "root-2.key", fragile.directory / "first-approver.key"):
        first.run("trust", "sign", root, "--key", key)
    first.run("trust", "publish", root)
    monkeypatch.setenv("LANDFAST_PIN", _PIN)
    assert f"alice: {public}" in alice.says("trust", "show")
    assert "policy 1 accepted" in alice.says("policy", "apply", alice.policy(), "--reason", "first")
    assert alice.json("policy", "history")[0]["approvers"] == ["alice"]
    change = ("policy", "apply", alice.policy(POLICY.replace("/16", "/17")), "--reason", "second")
    monkeypatch.setenv("LANDFAST_PIN", "000000")
    assert "the key does not sign: PinIncorrect" in alice.complains(*change, status=3)
    monkeypatch.delenv("LANDFAST_PIN")
    assert "PIN of token alice is needed; set LANDFAST_PIN" in alice.complains(*change, status=2)
    assert alice.says("key", "show", token).strip() == public
    assert "look at token, module and PIN" in alice.complains("key", "show", "pkcs11:token=bob", status=3)
    assert "is not understood" in alice.complains("key", "show", "pkcs11:object=alice", status=2)
