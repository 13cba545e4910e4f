"""`landfast-controller` as an administrator meets it."""

import asyncio
import json
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from landfast.identity import Bundle, certificate_of
from landfast.v1.agent_pb2 import Hello, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2 import ListIdentitiesRequest
from landfast.v1.fleet_pb2_grpc import IdentityServiceStub
from landfast_controller.authority import SERVER_LIFETIME, Authority, server_addresses
from landfast_controller.certificate import ServerCertificate
from landfast_controller.config import Config
from landfast_controller.initialise import initialise
from landfast_controller.server import running
from tests.e2e.controller.deployment import SERVER, Deployment


def _run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*SERVER, *words], check=False, capture_output=True, text=True, timeout=30)


def test_init_overwrites_nothing(deployment: Deployment) -> None:
    before = {path: path.read_bytes() for path in deployment.directory.glob("*.pem")}
    again = _run("init", "--dir", deployment.directory)
    assert again.returncode == 2
    assert "is not empty" in again.stderr
    assert {path: path.read_bytes() for path in deployment.directory.glob("*.pem")} == before


def test_what_init_makes_is_for_its_owner_alone(deployment: Deployment) -> None:
    assert deployment.directory.stat().st_mode & 0o777 == 0o700
    for path in deployment.directory.glob("*.[kp]e[my]"):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_a_second_controller_on_the_same_directory_is_refused(deployment: Deployment) -> None:
    second = _run("serve", "--dir", deployment.directory)
    assert second.returncode == 3
    assert "another controller serves it" in second.stderr


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('directory = "{directory}"\nlisten = 7443\n', "listen"),
        ('directory = "{directory}"\nlissten = "x"\n', "lissten"),
        ('listen = "127.0.0.1:0"\n', "directory"),
        ("directory = [\n", "configuration"),
        ('directory = "/nonexistent"\n', "landfast-controller init"),
    ],
)
def test_a_wrong_configuration_names_file_key_and_remedy(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "controller.toml"
    file.write_text(content.format(directory=tmp_path))
    done = _run("serve", "--config", file)
    assert done.returncode in (2, 3)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_takes_a_file_or_a_directory(deployment: Deployment) -> None:
    assert _run("serve").returncode == 2
    assert _run("serve", "--config", "x", "--dir", deployment.directory).returncode == 2


async def test_sigterm_ends_open_streams_and_the_server_within_two_seconds(fragile: Deployment) -> None:
    agent = await fragile.enrol("hall")
    async with fragile.channel(fragile.approver) as channel, fragile.channel(agent) as host:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True))
        await stream.read()
        syncs = [AgentServiceStub(host).Sync() for _ in range(20)]
        for sync in syncs:
            await sync.write(SyncRequest(hello=Hello()))
        assert fragile.program
        started = time.monotonic()
        fragile.program.process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(fragile.program.wait)
        assert time.monotonic() - started < 2
    assert status == 0
    last = json.loads(fragile.program.output.splitlines()[-1])
    assert last["event"] == "stopped"


async def test_everything_is_there_after_a_restart(fragile: Deployment) -> None:
    await fragile.identity("operator", "alice")
    assert fragile.program
    fragile.program.stop()
    fragile.start()
    async with fragile.channel(fragile.approver) as channel:
        found = await IdentityServiceStub(channel).ListIdentities(ListIdentitiesRequest())
    assert [identity.name for identity in found.identities] == ["first-approver", "alice"]


async def test_health_and_reflection(deployment: Deployment) -> None:
    async with deployment.channel(deployment.approver) as channel:
        health = await HealthStub(channel).Check(HealthCheckRequest())
        assert MessageToDict(health) == {"status": "SERVING"}
        stream = ServerReflectionStub(channel).ServerReflectionInfo()
        await stream.write(ServerReflectionRequest(list_services=""))
        listed = (await stream.read()).list_services_response
        stream.cancel()
    assert {"landfast.v1.AuditService", "grpc.health.v1.Health"} <= {service.name for service in listed.service}


def test_the_server_certificate_is_renewed_at_half_its_life(deployment: Deployment, tmp_path: Path) -> None:
    authority, path = deployment.authority, tmp_path / "server.pem"
    authority.issue_server(["controller.example.net", "192.0.2.10"], SERVER_LIFETIME / 2).write(path)
    old = certificate_of(Bundle.read(path))
    ServerCertificate(path, authority).credentials()
    new = certificate_of(Bundle.read(path))
    assert new.not_valid_after_utc - old.not_valid_after_utc > timedelta(days=180)
    assert server_addresses(new) == server_addresses(old)


async def test_a_certificate_that_is_due_while_the_server_runs_is_replaced_at_a_handshake(tmp_path: Path) -> None:
    """A server that is never restarted."""
    directory = tmp_path / "deployment"
    await asyncio.to_thread(initialise, directory, "landfast.internal", [])
    path, grace = directory / "server.pem", timedelta(seconds=3)
    Authority.load(directory).issue_server([], SERVER_LIFETIME / 2 + grace).write(path)
    made = path.read_bytes()
    async with running(Config(directory, "127.0.0.1:0")) as port:
        served = Deployment(directory, port)
        await _check_health(served)
        assert path.read_bytes() == made
        await asyncio.sleep(grace.total_seconds())
        await _check_health(served)
    assert path.read_bytes() != made


async def _check_health(deployment: Deployment) -> None:
    async with deployment.channel(deployment.approver) as channel:
        await HealthStub(channel).Check(HealthCheckRequest())
