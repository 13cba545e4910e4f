import asyncio
import json
import stat

import pytest

from landfast.identity import Bundle
from landfast_agent import enrol, event_key
from landfast_agent.errors import BadInput, Refused, Unavailable


@pytest.fixture
async def token(deployment, tmp_path):
    path = tmp_path / "token.pem"
    await deployment.token_file(path)
    return path


async def join(deployment, token, state, host="hall-9", address=""):
    return await asyncio.to_thread(enrol.enrol, address or deployment.address, token, state, host)


async def test_a_host_gets_its_own_identity(deployment, token, tmp_path):
    state = tmp_path / "state"
    made = await join(deployment, token, state, "hall-1")
    assert enrol.read(state) == made == enrol.Enrolment(deployment.address, "hall-1")
    assert Bundle.read(state / "identity.pem").authority == Bundle.read(token).authority
    assert stat.S_IMODE((state / "identity.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert json.loads((state / "controller.json").read_text())["host"] == "hall-1"


async def test_an_enrolled_host_is_not_enrolled_again(deployment, token, tmp_path):
    await join(deployment, token, tmp_path / "state", "hall-2")
    before = (tmp_path / "state/identity.pem").read_bytes()
    with pytest.raises(Refused, match=r"is enrolled at .* as 'hall-2'.*remove .*identity.pem"):
        await join(deployment, token, tmp_path / "state", "hall-3")
    assert (tmp_path / "state/identity.pem").read_bytes() == before


async def test_the_event_key_outlives_the_enrolment(deployment, token, tmp_path):
    """A host without a controller has one already; what it enrols with is that one, again and again."""
    state, again = tmp_path / "state", tmp_path / "again.pem"
    state.mkdir()
    event_key.obtain(event_key.path_in(state))
    before = (state / "event.key").read_bytes()
    await join(deployment, token, state, "hall-keyed")
    (state / "identity.pem").unlink()
    await deployment.token_file(again, host="hall-keyed")
    await join(deployment, again, state, "hall-keyed")
    assert (state / "event.key").read_bytes() == before


async def test_with_a_damaged_event_key_a_host_is_not_enrolled(deployment, token, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/event.key").write_bytes(b"damaged")
    with pytest.raises(Unavailable, match=r"event\.key: .* restore the file from a backup"):
        await join(deployment, token, tmp_path / "state", "hall-damaged")
    assert (tmp_path / "state/event.key").read_bytes() == b"damaged"
    await join(deployment, token, tmp_path / "other", "hall-damaged")  # the token is still good


async def test_a_token_works_once(deployment, token, tmp_path):
    await join(deployment, token, tmp_path / "a", "hall-4")
    with pytest.raises(Refused, match="cannot enrol at"):
        await join(deployment, token, tmp_path / "b", "hall-5")
    assert enrol.read(tmp_path / "b") is None


async def test_a_name_that_is_taken_is_refused(deployment, token, tmp_path):
    await join(deployment, token, tmp_path / "a", "hall-6")
    second = tmp_path / "second.pem"
    await deployment.token_file(second)
    with pytest.raises(Refused, match="hall-6"):
        await join(deployment, second, tmp_path / "b", "hall-6")


@pytest.mark.parametrize(("host", "words"), [("Hall 7", "--host"), ("-x", "--host")])
async def test_a_bad_host_name_is_refused_here(deployment, token, tmp_path, host, words):
    with pytest.raises(BadInput, match=words):
        await join(deployment, token, tmp_path / "state", host)


async def test_a_token_must_be_a_token(deployment, tmp_path):
    approver = tmp_path / "approver.pem"
    deployment.approver.write(approver)
    with pytest.raises(BadInput, match="identity of role approver"):
        await join(deployment, approver, tmp_path / "state")
    with pytest.raises(BadInput, match="No such file"):
        await join(deployment, tmp_path / "none.pem", tmp_path / "state")
    (tmp_path / "text.pem").write_text("hello")
    with pytest.raises(BadInput, match="not an identity file"):
        await join(deployment, tmp_path / "text.pem", tmp_path / "state")


async def test_nobody_at_the_address(deployment, token, tmp_path):
    with pytest.raises(Unavailable, match=r"cannot enrol at 127\.0\.0\.1:1: .*look at the address"):
        await join(deployment, token, tmp_path / "state", address="127.0.0.1:1")
    assert enrol.read(tmp_path / "state") is None


async def test_a_damaged_state_is_named(deployment, token, tmp_path):
    await join(deployment, token, tmp_path / "state", "hall-8")
    (tmp_path / "state/controller.json").write_text("{")
    with pytest.raises(Unavailable, match=r"controller\.json"):
        enrol.read(tmp_path / "state")
