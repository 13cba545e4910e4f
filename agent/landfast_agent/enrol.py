"""Joining a deployment: a one-time token becomes the host's own identity.

What a host keeps of it in its state directory: `controller.json`; `trust`, by which it judges every policy; and
`identity.pem`, whose presence means that the host is enrolled (`identity.next.pem` is there while a renewed one has not
been used yet). The event key by which it signs is older than that, or made here. Policies from before are set
aside: nobody has approved them in this deployment.
"""

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from landfast import identity
from landfast.beginning import Beginning, Statement
from landfast.event_key import ENROLMENT, enrolment_of, public_of, sign
from landfast.identity import Bundle, IdentityError, Role
from landfast_agent import event_key, promises, spool_file
from landfast_agent.errors import AgentError, BadInput, Refused, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from landfast.v1.agent_pb2 import EnrollRequest

_TIMEOUT_S = 15


class Enrolment(msgspec.Struct, frozen=True):
    """Where a host belongs. `controller` is HOST:PORT."""

    controller: str
    host: str


def identity_file(state: Path) -> Path:
    return state / "identity.pem"


def trust_directory(state: Path) -> Path:
    return state / "trust"


def renewed_file(identity: Path) -> Path:
    """Where a renewed identity waits for its first use, beside the older one."""
    return identity.with_name("identity.next.pem")


def read(state: Path) -> Enrolment | None:
    """The enrolment of this instance; None while it has none. Raises Unavailable when the files are damaged."""
    path = state / "controller.json"
    if not identity_file(state).exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Enrolment)
    except (OSError, msgspec.DecodeError) as error:
        raise Unavailable(
            f"{path}: {error}: the host has an identity but not its controller's address; write "
            '{"controller": "HOST:PORT", "host": "NAME"} there, or remove identity.pem and enrol again'
        ) from error


def enrol(controller: str, token_file: Path, state: Path, host: str = "") -> Enrolment:
    """Joins the deployment at `controller` (HOST:PORT) as `host`, the machine's name by default.

    Raises Refused when the host is enrolled already or the controller says no, BadInput for a bad token or name,
    Unavailable when the controller cannot be reached. The token is used up only when the controller has said yes.
    """
    _refuse_twice(state)
    enrolment = Enrolment(controller, _checked_name(host or socket.gethostname().lower()))
    token = _read_token(token_file)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_known = _establish_trust(state, token_file)
    identity.write_private(state / "controller.json", msgspec.json.encode(enrolment))
    signer = event_key.obtain(event_key.path_in(state))
    renewed_file(identity_file(state)).unlink(missing_ok=True)  # nobody connects by it any more
    with promises.promise(spool_file.path_in(state), enrolment.host) as beginning:
        made = _exchange(enrolment, token, signer, beginning)
    if not is_known:
        _set_aside(state / "policies")
    made.write(identity_file(state))
    return enrolment


def fingerprint(state: Path) -> str:
    """Of the root metadata by which an enrolled host judges policies."""
    from landfast.trust.verifier import Verifier

    return Verifier(trust_directory(state)).fingerprint


def _refuse_twice(state: Path) -> None:
    enrolment = read(state)
    if enrolment:
        raise Refused(
            f"this host is enrolled at {enrolment.controller} as {enrolment.host!r}: to join anew, remove "
            f"{identity_file(state)}; an agent that runs finds the new identity by itself"
        )


def _checked_name(host: str) -> str:
    try:
        return identity.check_name(host)
    except IdentityError as error:
        raise BadInput(f"{error}: give another one with --host") from error


def _read_token(path: Path) -> Bundle:
    try:
        token = Bundle.read(path)
        role = identity.spiffe_id_of(identity.certificate_of(token)).role
    except OSError as error:
        raise BadInput(f"token {path}: {error.strerror}: give the file of a token to --token-file") from error
    except ValueError as error:
        raise BadInput(f"token {path}: {error}") from error
    if role != Role.ENROL:
        raise BadInput(f"token {path}: this is an identity of role {role}; make one with `landfast fleet token create`")
    return token


def _establish_trust(state: Path, token_file: Path) -> bool:
    """By the root metadata that the token carries. Whether the host has had policies of that deployment before."""
    from landfast.trust import anchor  # not what every command has to wait for
    from landfast.trust.errors import TrustError
    from landfast.trust.verifier import Verifier

    try:
        return Verifier.establish(trust_directory(state), anchor.read(token_file)).expires() is not None
    except TrustError as error:
        raise BadInput(str(error)) from error


def _set_aside(policies: Path) -> None:
    """Versions of another deployment, or of none, are no base for those to come, and may have the same numbers."""
    if policies.exists():
        policies.rename(policies.with_name(f"policies-until-{int(time.time())}"))


def _exchange(enrolment: Enrolment, token: Bundle, signer: "Ed25519PrivateKey", beginning: Beginning) -> Bundle:
    """Asks the controller, as the token, for a certificate of a fresh key.

    Tells by which key the host signs, and where what it signs will begin.
    """
    import grpc

    from landfast.channel import OPTIONS, credentials
    from landfast.v1.agent_pb2_grpc import AgentServiceStub

    key = identity.new_key()
    request = _request(enrolment.host, identity.signing_request(key), signer, beginning)
    with grpc.secure_channel(enrolment.controller, credentials(token), OPTIONS) as channel:
        try:
            response = AgentServiceStub(channel).Enroll(request, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            raise _explained(error, enrolment) from error
    bundle = Bundle(identity.key_pem(key), response.certificate, response.authority, response.recovery)
    name = identity.spiffe_id_of(identity.certificate_of(bundle))
    if (name.role, name.name) != (Role.AGENT, enrolment.host):
        raise Refused(f"the controller gave us the identity {name}, not that of agent {enrolment.host!r}")
    return bundle


def _request(host: str, csr: bytes, signer: "Ed25519PrivateKey", beginning: Beginning) -> "EnrollRequest":
    from landfast.v1.agent_pb2 import EnrollRequest

    proof = sign(signer, ENROLMENT, enrolment_of(host, csr))
    request = EnrollRequest(host=host, csr=csr, event_key=public_of(signer), event_key_proof=proof)
    request.beginning.first_sequence, request.beginning.previous = beginning.first, beginning.previous
    request.beginning.signature = Statement.sign(signer, host, csr, beginning).signature
    return request


def _explained(error: object, enrolment: Enrolment) -> AgentError:
    import grpc

    assert isinstance(error, grpc.Call)
    code, details = error.code(), error.details()
    where = f"cannot enrol at {enrolment.controller}: {details}"
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return Unavailable(
            f"{where}: look at the address, the network, and whether the token is this controller's and still valid"
        )
    return Refused(where)
