"""Incidents: opened by what hosts push, acknowledged, closed, told to a webhook; each exactly once."""

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from landfast.identity import Bundle
from landfast.v1.agent_pb2 import Health, Hello, PushRequest, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import CLI, Deployment
from tests.e2e.controller.person import Person

_SUBJECT = "203.0.113.9:443/tcp"


class Receiver:
    """A webhook on the loopback. It refuses the first `busy` requests."""

    def __init__(self, busy: int) -> None:
        self.busy, self.refused, self.taken = busy, 0, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver.take(body))
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def take(self, body: dict) -> int:
        if self.refused < self.busy:
            self.refused += 1
            return 503
        self.taken.append(body)
        return 204

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(busy=2)
    yield made
    made.close()


@pytest.fixture
def watched(fresh: Deployment) -> Iterator[Deployment]:
    """Not started yet."""
    made = fresh.copy()
    yield made
    made.remove()


@pytest.fixture
def approver(watched: Deployment, tmp_path: Path) -> Person:
    return Person(watched, tmp_path)


async def _push(deployment: Deployment, bundle: Bundle, *batches: bytes) -> None:
    async with deployment.channel(bundle) as channel:
        stream: Any = AgentServiceStub(channel).Push()
        for data in batches:
            await stream.write(PushRequest(batch=data))
            await stream.read()


async def _until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := await asyncio.to_thread(holds)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    return found


def _listed(person: Person, *words: str) -> list[dict]:
    """By whatever exit status: 1 when one is open."""
    found = subprocess.run(
        [*CLI, "incidents", "list", "--json", *words], capture_output=True, check=False, env=person.environment
    )
    assert found.returncode in (0, 1), found.stderr
    return json.loads(found.stdout)


async def test_the_life_of_an_incident(watched: Deployment, approver: Person, receiver: Receiver) -> None:
    """47 denials, with a controller killed in between, are one incident of 47; what comes after its end is another."""
    webhook = f'webhook = "http://127.0.0.1:{receiver.port}/hook"'
    watched.settings = f'[incidents]\ndenials = 23\ndenials_window = "365d"\nsilent_after = "30d"\n{webhook}\n'
    watched.start()
    approver.login(watched.directory / "first-approver.pem")
    bundle, chain = await watched.enrol("hall"), Chain("hall")
    assert approver.json("incidents", "list") == []
    await _push(watched, bundle, *chain.batches(2, events=11))
    await _push(watched, bundle, chain.batch(events=1))
    (opened,) = await _until(lambda: _listed(approver))
    assert (opened["rule"], opened["subject"], opened["state"], opened["count"]) == ("denials", _SUBJECT, "open", 23)
    (told,) = await _until(lambda: receiver.taken)
    assert receiver.refused == 2
    assert (told["id"], told["rule"], told["subject"]) == (opened["id"], "denials", _SUBJECT)

    number = str(opened["id"])
    assert "acknowledged, denials" in approver.says("incidents", "ack", number)
    assert "has been there before" in approver.complains("incidents", "ack", number, status=1)
    await _push(watched, bundle, chain.batch(events=24))
    await _until(lambda: approver.json("incidents", "show", number)["count"] == 47)
    watched.kill()
    await asyncio.to_thread(watched.start)
    assert approver.json("incidents", "show", number)["count"] == 47
    assert "closed" in approver.says("incidents", "close", number, "--reason", "the partner has moved")
    assert "the partner has moved" in approver.says("incidents", "show", number)
    assert "is closed" in approver.complains("incidents", "close", number, "--reason", "again", status=1)
    assert approver.json("incidents", "list") == []
    await _push(watched, bundle, chain.batch(events=23))
    (another,) = await _until(lambda: _listed(approver))
    assert (another["id"], another["count"]) == (opened["id"] + 1, 23)
    assert [each["id"] for each in _listed(approver, "--all")] == [another["id"], opened["id"]]
    await _until(lambda: len(receiver.taken) == 2)
    lines = approver.says("events", "follow", "--no-follow", "--format", "json").splitlines()
    events = list(map(json.loads, lines))
    life = [(each["action"], each["subject"]) for each in events if "INCIDENT" in each.get("action", "")]
    assert life == [
        ("INCIDENT_OPENED", number),
        ("INCIDENT_ACKNOWLEDGED", number),
        ("INCIDENT_CLOSED", number),
        ("INCIDENT_OPENED", str(another["id"])),
    ]


@pytest.mark.long
async def test_silent_hosts_are_told_once_and_over_tls(
    watched: Deployment, approver: Person, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    webhook = f'webhook = "https://localhost:{receiver.port}/hook"'
    watched.settings = f'[incidents]\nsilent_after = "2s"\n{webhook}\n'
    watched.start()
    approver.login(watched.directory / "first-approver.pem")
    await watched.enrol("quiet")
    (told,) = await _until(lambda: receiver.taken)
    assert (told["rule"], told["subject"]) == ("silent-host", "quiet")
    approver.run("incidents", "close", str(told["id"]), "--reason", "it is gone for good")
    await asyncio.sleep(6)
    assert approver.json("incidents", "list") == []


async def test_a_host_whose_batches_do_not_arrive_is_silent_though_it_is_connected(
    watched: Deployment, approver: Person
) -> None:
    watched.settings = '[incidents]\nsilent_after = "3s"\n'
    watched.start()
    approver.login(watched.directory / "first-approver.pem")
    stuck, chain = await watched.enrol("stuck"), Chain("chatty")
    chatty = await watched.enrol("chatty")
    async with watched.channel(stuck) as channel:
        stream: Any = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(hello=Hello()))

        async def live() -> None:
            while True:
                await stream.write(SyncRequest(health=Health()))
                await _push(watched, chatty, chain.batch(events=1))
                await asyncio.sleep(0.2)

        async with asyncio.TaskGroup() as group:
            living = group.create_task(live())
            found = await _until(lambda: _listed(approver))
            living.cancel()
    (opened,) = found
    assert (opened["rule"], opened["subject"]) == ("silent-host", "stuck")
    assert "no batch came from stuck" in opened["text"]
    assert opened["text"].endswith("though it is connected")


async def test_auditors_only_look(watched: Deployment, approver: Person, tmp_path: Path) -> None:
    watched.start()
    (await watched.identity("auditor")).write(tmp_path / "vera.pem")
    approver.login(tmp_path / "vera.pem")
    assert approver.json("incidents", "list") == []
    assert "it takes the role" in approver.complains("incidents", "ack", "1", status=3)
    assert "no incident 7" in approver.complains("incidents", "show", "7", status=2)
