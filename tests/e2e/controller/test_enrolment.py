"""Tokens and hosts that join."""

import asyncio
import hashlib
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast import event_key
from landfast.beginning import Beginning, Statement
from landfast.identity import Bundle, certificate_of, new_key, signing_request, spiffe_id_of
from landfast.v1.agent_pb2 import EnrollRequest, EnrollResponse, PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import Deployment, code_of, details_of, enrol_request
from tests.testbed.event_keys import public, signer


async def _push(deployment: Deployment, bundle: Bundle, *batches: bytes) -> int:
    """Pushes batches; the last acknowledgement."""
    acknowledged = 0
    async with deployment.channel(bundle) as channel:
        stream = AgentServiceStub(channel).Push()
        for data in batches:
            await stream.write(PushRequest(batch=data))
        await stream.done_writing()
        async for response in stream:
            acknowledged = response.acknowledged
    return acknowledged


async def test_the_controller_gives_the_name(deployment: Deployment) -> None:
    bundle = await deployment.enrol("hall-named")
    assert str(spiffe_id_of(certificate_of(bundle))) == "spiffe://landfast.internal/agent/hall-named"


async def test_a_token_is_good_for_one_host(deployment: Deployment) -> None:
    token, host = await deployment.token(), deployment.name("host")
    await deployment.enrol(host, token)
    with pytest.raises(AioRpcError) as failure:
        await deployment.enrol(deployment.name("host"), token)
    assert code_of(failure) == StatusCode.PERMISSION_DENIED
    assert f"used by host {host}" in details_of(failure)


async def test_of_eight_hosts_with_one_token_one_joins(deployment: Deployment) -> None:
    token = await deployment.token()
    names = [deployment.name("race") for _ in range(8)]
    results = await asyncio.gather(*(deployment.enrol(name, token) for name in names), return_exceptions=True)
    assert sum(isinstance(result, Bundle) for result in results) == 1


async def test_a_token_for_a_host_is_for_no_other(deployment: Deployment) -> None:
    token = await deployment.token(host="hall-meant")
    with pytest.raises(AioRpcError) as failure:
        await deployment.enrol("hall-other", token)
    assert code_of(failure) == StatusCode.PERMISSION_DENIED
    await deployment.enrol("hall-meant", token)


async def test_a_token_expires(deployment: Deployment) -> None:
    token = await deployment.token(lifetime_s=1)
    await asyncio.sleep(1.1)
    with pytest.raises(AioRpcError):
        await deployment.enrol(deployment.name("host"), token)


async def test_an_enrolled_name_takes_a_token_of_its_own(deployment: Deployment) -> None:
    host = deployment.name("host")
    await deployment.enrol(host)
    with pytest.raises(AioRpcError) as failure:
        await deployment.enrol(host)
    assert code_of(failure) == StatusCode.ALREADY_EXISTS
    assert f"landfast fleet token create --host {host}" in details_of(failure)


async def test_enrolling_again_ends_the_old_certificate_and_begins_a_new_chain(deployment: Deployment) -> None:
    host = deployment.name("host")
    old = await deployment.enrol(host)
    assert await _push(deployment, old, *Chain(host).batches(3)) == 15
    new = await deployment.enrol(host, await deployment.token(host=host))
    with pytest.raises(AioRpcError) as failure:
        await _push(deployment, old)
    assert code_of(failure) == StatusCode.UNAUTHENTICATED
    assert await _push(deployment, new, *Chain(host, first=3).batches(2)) == 12


@pytest.mark.parametrize("name", ["", "Hall", "a/b", "../x", "-a", "a" * 254, "a..b", "ä"])
async def test_a_name_that_is_no_host_name_is_refused_and_the_token_stays_good(
    deployment: Deployment, name: str
) -> None:
    token = await deployment.token()
    with pytest.raises(AioRpcError) as failure:
        await deployment.enrol(name, token)
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    await deployment.enrol(deployment.name("host"), token)


def _request(key: ec.EllipticCurvePrivateKey) -> bytes:
    request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def _tampered() -> bytes:
    request = bytearray(signing_request(new_key()))
    request[-1] ^= 1
    return bytes(request)


@pytest.mark.parametrize("csr", [b"", b"rubbish", _request(ec.generate_private_key(ec.SECP384R1())), _tampered()])
async def test_a_request_that_proves_nothing_is_refused(deployment: Deployment, csr: bytes) -> None:
    async with deployment.channel(await deployment.token()) as channel:
        with pytest.raises(AioRpcError) as failure:
            await AgentServiceStub(channel).Enroll(EnrollRequest(host=deployment.name("host"), csr=csr))
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    assert details_of(failure).startswith("csr: ")


async def _enrol(deployment: Deployment, request: EnrollRequest, token: Bundle | None = None) -> EnrollResponse:
    async with deployment.channel(token or await deployment.token()) as channel:
        response: EnrollResponse = await AgentServiceStub(channel).Enroll(request)
        return response


def _unproved(host: str, what: str) -> EnrollRequest:
    """A request that does not prove its event key."""
    good, csr = enrol_request(host, signing_request(new_key())), signing_request(new_key())
    another = EnrollRequest(host="hall-x", csr=csr, event_key=good.event_key, event_key_proof=good.event_key_proof)
    theirs = EnrollRequest(host=host, csr=good.csr, event_key=public("hall-x"), event_key_proof=good.event_key_proof)
    proofless = EnrollRequest(host=host, csr=good.csr, event_key=good.event_key)
    keyless = EnrollRequest(host=host, csr=good.csr)
    return {"another request's": another, "another key's": theirs, "no proof": proofless, "no key": keyless}[what]


async def _check_refused(deployment: Deployment, request: EnrollRequest, about: str) -> None:
    """And the token is good for a better one."""
    token = await deployment.token()
    with pytest.raises(AioRpcError) as failure:
        await _enrol(deployment, request, token)
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    assert details_of(failure).startswith(about)
    await deployment.enrol(request.host, token)


@pytest.mark.parametrize("what", ["another request's", "another key's", "no proof", "no key"])
async def test_an_event_key_that_is_not_proved_is_refused_and_the_token_stays_good(
    deployment: Deployment, what: str
) -> None:
    host = deployment.name("host")
    await _check_refused(deployment, _unproved(host, what), "event_key")


async def _enrolments(deployment: Deployment, host: str) -> list[ControlAction]:
    async with deployment.channel(deployment.approver) as channel:
        entries = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
        controls = [entry.control async for entry in entries if entry.control]
    actions = map(ControlAction.FromString, controls)
    return [each for each in actions if (each.kind, each.subject) == (ControlAction.KIND_HOST_ENROLLED, host)]


async def test_the_log_tells_the_event_key_and_when_it_changes(deployment: Deployment) -> None:
    host = deployment.name("host")
    await deployment.enrol(host)
    await deployment.enrol(host, await deployment.token(host))
    other = enrol_request(host, signing_request(new_key()), signer("another"))
    await _enrol(deployment, other, await deployment.token(host))
    first, second, third = await _enrolments(deployment, host)
    mine, another = event_key.text(public(host)), event_key.text(public("another"))
    assert [each.fields["event_key"] for each in (first, second, third)] == [mine, mine, another]
    assert [each.fields.get("former_event_key") for each in (first, second, third)] == [None, None, mine]
    assert ["another event key" in each.text for each in (first, second, third)] == [False, False, True]


async def test_the_log_has_what_the_host_has_signed_of_its_beginning(deployment: Deployment) -> None:
    host, begins = deployment.name("host"), Beginning(77, b"y" * 32)
    request = enrol_request(host, signing_request(new_key()), begins=begins)
    await _enrol(deployment, request)
    await deployment.enrol(host, await deployment.token(host))
    first, second = await _enrolments(deployment, host)
    statement = Statement.read(first.fields)
    assert statement == Statement(begins, hashlib.sha256(request.csr).digest(), request.beginning.signature)
    assert statement.is_signed_by(public(host), host)
    assert Statement.read(second.fields) is None


def _unsaid(host: str, what: str) -> EnrollRequest:
    """A request with a beginning that nobody can be held to."""
    request, key = enrol_request(host, signing_request(new_key()), begins=Beginning(77, b"y" * 32)), signer(host)
    told = request.beginning
    if what == "no sequence":
        told.CopyFrom(enrol_request(host, request.csr, begins=Beginning(0)).beginning)
    elif what == "too large":
        told.CopyFrom(enrol_request(host, request.csr, begins=Beginning(2**63)).beginning)
    elif what == "no hash":
        told.CopyFrom(enrol_request(host, request.csr, begins=Beginning(77, b"y")).beginning)
    elif what == "another sequence":
        told.first_sequence = 78
    elif what == "another request's":
        told.CopyFrom(enrol_request(host, signing_request(new_key()), begins=Beginning(77, b"y" * 32)).beginning)
    elif what == "another host's":
        told.CopyFrom(enrol_request("hall-x", request.csr, key, Beginning(77, b"y" * 32)).beginning)
    elif what == "of the first version":
        told.signature = request.event_key_proof
    return request


@pytest.mark.parametrize(
    "what",
    [
        "no sequence",
        "too large",
        "no hash",
        "another sequence",
        "another request's",
        "another host's",
        "of the first version",
    ],
)
async def test_a_beginning_that_is_not_signed_is_refused_and_the_token_stays_good(
    deployment: Deployment, what: str
) -> None:
    host = deployment.name("host")
    await _check_refused(deployment, _unsaid(host, what), "beginning: ")


async def test_a_host_is_held_to_where_it_said_that_it_begins(deployment: Deployment) -> None:
    """So that a stolen certificate begins nowhere else; and after another enrolment to what it says then."""
    host, previous = deployment.name("host"), b"y" * 32
    first = await deployment.enrol(host, begins=Beginning(77, previous))
    for chain in (Chain(host), Chain(host, 78, previous), Chain(host, 77, b"z" * 32)):
        with pytest.raises(AioRpcError) as failure:
            await _push(deployment, first, chain.batch())
        assert code_of(failure) == StatusCode.FAILED_PRECONDITION
        assert f"it would begin at sequence 77, after the batch {previous.hex()}" in details_of(failure)
    own = Chain(host, 77, previous)
    assert await _push(deployment, first, *own.batches(2)) == 86
    again = await deployment.enrol(host, await deployment.token(host), Beginning(77, previous))
    assert await _push(deployment, again, *own.batches(2)) == 96
    anew = await deployment.enrol(host, await deployment.token(host), Beginning())
    with pytest.raises(AioRpcError):
        await _push(deployment, anew, Chain(host, 200, previous).batch())
    assert await _push(deployment, anew, *Chain(host).batches(2)) == 10


async def test_an_older_agent_says_nothing_and_nothing_of_before_counts(deployment: Deployment) -> None:
    host = deployment.name("host")
    await deployment.enrol(host, begins=Beginning(77, b"y" * 32))
    again = await deployment.enrol(host, await deployment.token(host))
    assert await _push(deployment, again, Chain(host, 200, b"z" * 32).batch()) == 204


async def test_a_token_may_live_seven_days_at_most(deployment: Deployment) -> None:
    started = time.time()
    token = await deployment.token(lifetime_s=7 * 86400)
    assert certificate_of(token).not_valid_after_utc.timestamp() - started < 7 * 86400 + 60
    with pytest.raises(AioRpcError) as failure:
        await deployment.token(lifetime_s=7 * 86400 + 1)
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
