"""A real controller in a directory of its own, as its own process, and clients for it."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from landfast import event_key
from landfast.beginning import Beginning, Statement
from landfast.channel import OPTIONS, credentials
from landfast.identity import Bundle, Role, SpiffeId, key_pem, new_key, signing_request
from landfast.trust import anchor, keys, metadata
from landfast.v1.agent_pb2 import EnrollRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.fleet_pb2 import CreateIdentityRequest, CreateTokenRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub, IdentityServiceStub
from landfast_controller.authority import Authority
from tests.testbed.event_keys import signer
from tests.testbed.program import Program

_SCRIPTS = Path(sys.executable).parent

#: The installed commands, as lists of words.
SERVER: list[str | Path] = [_SCRIPTS / "landfast-controller"]
CLI: list[str | Path] = [_SCRIPTS / "landfast"]

#: Seconds that a start may take on a machine that is busy with other tests.
_START_S = 60

_YEAR = timedelta(days=365)


@dataclass
class Deployment:
    """What `init` made, and the process that serves it. Restarts keep the port.

    `settings` are lines of its configuration file beside directory and address, `under` a command that it is run by.
    """

    directory: Path
    port: int = 0
    program: Program | None = None
    counter: int = 0
    logs: list[Path] = field(default_factory=list)
    settings: str = '[incidents]\ndenials = 1000000\nsilent_after = "30d"\n'  # what nobody expects in the log
    under: tuple[str, ...] = ()

    @classmethod
    def make(cls) -> "Deployment":
        directory = Path(tempfile.mkdtemp(prefix="landfast-t-")) / "deployment"
        subprocess.run([*SERVER, "init", "--dir", directory], check=True, capture_output=True, timeout=30)
        return cls(directory)

    def copy(self) -> "Deployment":
        """The same deployment as `init` left it, to be run on its own. To be taken before anything runs."""
        directory = Path(tempfile.mkdtemp(prefix="landfast-t-")) / "deployment"
        shutil.copytree(self.directory, directory)
        return Deployment(directory)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "Deployment":
        """Waits until it listens."""
        program, log = self.launch(), self.logs[-1]
        program.ready(lambda: "listening on port" in log.read_text(), _START_S)
        self.port = int(re.findall(r"listening on port (\d+)", log.read_text())[0])
        return self

    def launch(self) -> Program:
        log = self.directory.parent / f"serve-{len(self.logs)}.log"
        self.logs.append(log)
        config = self.directory.parent / "controller.toml"
        config.write_text(f'directory = "{self.directory}"\nlisten = "{self.address}"\n{self.settings}')
        self.program = Program([*self.under, *SERVER, "serve", "--config", config], log)
        return self.program

    def kill(self) -> None:
        assert self.program
        self.program.process.send_signal(signal.SIGKILL)
        self.program.process.wait(10)

    def remove(self) -> None:
        if self.program:
            self.program.stop()
        shutil.rmtree(self.directory.parent)

    @property
    def approver(self) -> Bundle:
        return Bundle.read(self.directory / "first-approver.pem")

    def signed(self, content: bytes, proposer: str = "first-approver", reason: str = "a test") -> bytes:
        """Targets metadata of a policy, or of what is none, approved by the first approver."""
        version = re.search(rb'"version":([0-9]+)', content)
        draft = metadata.draft_targets(int(version[1]) if version else 1, content, proposer, (reason, ""), _YEAR)
        draft.sign(keys.load(self.directory / "first-approver.key", ""))
        return draft.to_bytes()

    @property
    def authority(self) -> Authority:
        """The deployment's own authority: for certificates that the controller would never issue."""
        return Authority.load(self.directory)

    def channel(self, bundle: Bundle) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(self.address, credentials(bundle), OPTIONS)

    def forged(self, holder: str, lifetime: timedelta, authority: Authority | None = None) -> Bundle:
        """A certificate that the controller has not issued, signed by its authority or by another one."""
        signer, key = authority or self.authority, new_key()
        leaf = signer.issue(SpiffeId.parse(holder), key.public_key(), lifetime)
        return Bundle(key_pem(key), leaf.public_bytes(Encoding.PEM), self.authority.pem)

    def name(self, stem: str) -> str:
        """A name that no other test uses."""
        self.counter += 1
        return f"{stem}-{self.counter}"

    async def identity(self, role: str, name: str = "", lifetime_s: int = 0) -> Bundle:
        key, name = new_key(), name or self.name(role)
        request = CreateIdentityRequest(name=name, role=role, lifetime_s=lifetime_s, csr=signing_request(key))
        async with self.channel(self.approver) as channel:
            made = await IdentityServiceStub(channel).CreateIdentity(request)
        return Bundle(key_pem(key), made.certificate, made.authority)

    async def token(self, host: str = "", lifetime_s: int = 0) -> Bundle:
        key = new_key()
        request = CreateTokenRequest(host=host, lifetime_s=lifetime_s, csr=signing_request(key))
        async with self.channel(self.approver) as channel:
            made = await FleetServiceStub(channel).CreateToken(request)
        return Bundle(key_pem(key), made.certificate, made.authority)

    async def token_file(self, path: Path, host: str = "") -> Path:
        """A token as `landfast fleet token create` writes it."""
        (await self.token(host)).write(path)
        anchor.attach(path, (self.directory / "1.root.json").read_bytes())
        return path

    async def enrol(self, host: str, token: Bundle | None = None, begins: Beginning | None = None) -> Bundle:
        key = new_key()
        async with self.channel(token or await self.token()) as channel:
            made = await AgentServiceStub(channel).Enroll(enrol_request(host, signing_request(key), begins=begins))
        return Bundle(key_pem(key), made.certificate, made.authority, made.recovery)

    async def by_role(self, role: str) -> Bundle:
        """A valid credential of any role that calls the controller."""
        if role in (Role.AGENT, Role.RECOVER):
            host = await self.enrol(self.name("host"))
            return host if role == Role.AGENT else recovering(host)
        return await (self.token() if role == Role.ENROL else self.identity(role))


def enrol_request(
    host: str, csr: bytes, key: Ed25519PrivateKey | None = None, begins: Beginning | None = None
) -> EnrollRequest:
    """As the agent of `host` makes it, with its event key or another one; older ones do not say where they begin."""
    key = key or signer(host)
    proof = event_key.sign(key, event_key.ENROLMENT, event_key.enrolment_of(host, csr))
    request = EnrollRequest(host=host, csr=csr, event_key=event_key.public_of(key), event_key_proof=proof)
    if begins:
        request.beginning.first_sequence, request.beginning.previous = begins.first, begins.previous
        request.beginning.signature = Statement.sign(key, host, csr, begins).signature
    return request


def recovering(bundle: Bundle) -> Bundle:
    """The identity by which a host renews an expired one."""
    return Bundle(bundle.key, bundle.recovery, bundle.authority)


def code_of(failure: Any) -> grpc.StatusCode:
    """The status of a failed call."""
    code: grpc.StatusCode = failure.value.code()
    return code


def details_of(failure: Any) -> str:
    return failure.value.details() or ""
