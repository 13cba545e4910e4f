"""The monthly report: from a real controller's log, by somebody who has a copy of it, the key, and nothing else."""

import asyncio
import io
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.batch_pb2 import NoticeKind
from tests.e2e.controller.deployment import CLI, Deployment
from tests.e2e.controller.person import Person
from tests.testbed import eventually
from tests.unit.report.month import Host, denied, notice, record

_ALLOWED, _DENIED = 41, 23


@pytest.fixture(scope="module")
def deployment(fresh: Deployment) -> Iterator[Deployment]:
    """What its one host is denied is just enough for an incident."""
    made = fresh.copy()
    made.settings = f'[incidents]\ndenials = {_DENIED}\nsilent_after = "30d"\n'
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def auditor(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """All of it has happened; a copy of the log is in their home, and the controller is gone."""
    first = Person(deployment, tmp_path_factory.mktemp("first"))
    first.login(deployment.directory / "first-approver.pem")
    olga, partner = _joined(first, "olga", "operator"), _joined(first, "partner", "auditor")
    first.run("policy", "apply", first.policy(), "--reason", "the first policy")
    change = "--reason", "failover to Hamar", "--ticket", "NET-1412"
    olga.run("allow", "add", "eea-user-data", "192.0.2.0/25", "tcp/443", *change)
    (open_,) = first.json("change", "list")
    first.run("change", "approve", str(open_["id"]))
    asyncio.run(_work(deployment))
    eventually(lambda: _status(first, "incidents", "list") == 1, "an incident is open", 30)
    first.run("incidents", "ack", "1")
    first.run("incidents", "close", "1", "--reason", "a cron job of an old image")
    last = partner.says("events", "follow", "--from", "0", "--no-follow", "--format", "json").splitlines()[-1]
    eventually(lambda: _mirrored(partner) > json.loads(last)["index"], "all of it is copied", 30)
    deployment.kill()
    (partner.home / "roster.txt").write_text("hall-1\nhall-9 # comes next month\n")
    return partner


def _joined(first: Person, name: str, role: str) -> Person:
    person = Person(first.deployment, first.home.parent / name)
    person.home.mkdir()
    first.run("identity", "create", name, "--role", role, "--out", person.home / f"{name}.pem")
    person.login(person.home / f"{name}.pem")
    return person


async def _work(deployment: Deployment) -> None:
    """A host that is allowed some, denied some, loses some, and was tampered with."""
    host, bundle, now_ns = Host("hall-1"), await deployment.enrol("hall-1"), time.time_ns()
    told = notice(now_ns, NoticeKind.NOTICE_KIND_HOOKS_ALTERED, "connect4 was detached and is attached again")
    lost = notice(now_ns, NoticeKind.NOTICE_KIND_LOST, "5 events were lost", CONNECT="5")
    batches = host.batch([record(now_ns)] * _ALLOWED), host.batch([denied(now_ns)] * _DENIED, [told, lost])
    async with deployment.channel(bundle) as channel:
        stream: Any = AgentServiceStub(channel).Push()
        for data in batches:
            await stream.write(PushRequest(batch=data))
            await stream.read()


def _status(person: Person, *words: str) -> int:
    return subprocess.run([*CLI, *words], check=False, capture_output=True, env=person.environment).returncode


def _mirrored(person: Person) -> int:
    """Copies what is new; how many entries there are."""
    person.run("audit", "mirror", person.home / "log")
    return int((person.home / "log" / "checkpoint").read_text().split("\n")[1])


def _words(auditor: Person, log: str = "log") -> list[str | Path]:
    """The command for yesterday, today and tomorrow, with nothing but the copy, the key and the roster."""
    today = datetime.now(UTC).date()
    period: list[str | Path] = ["--from", str(today - timedelta(days=1)), "--to", str(today + timedelta(days=2))]
    files = ["--offline", auditor.home / log, "--key", auditor.deployment.directory / "log.pub"]
    return ["audit", "report", *period, *files, "--hosts", auditor.home / "roster.txt"]


def test_what_the_log_proves(auditor: Person) -> None:
    found = auditor.json(*_words(auditor), status=1)
    assert (found["integrity"]["holds"], found["log"]["ended"]) == (True, False)
    kinds = [(each["kind"], each.get("host")) for each in found["completeness"]["findings"]]
    assert sorted(kinds) == [("lost", "hall-1"), ("never-reported", "hall-9")]
    assert found["decisions"] == {"ALLOW": _ALLOWED, "DENY": _DENIED, "WOULD_DENY": 0}
    (flow,), (denial,) = found["flows"]["rows"], found["denials"]["rows"]
    assert (flow["classes"], flow["destination"], flow["count"]) == (["eea-user-data"], "10.20.3.7:443/tcp", _ALLOWED)
    assert (denial["destination"], denial["process"], denial["host"]) == (
        "203.0.113.9:443/tcp",
        "/usr/bin/curl",
        "hall-1",
    )
    hosts = {host["name"]: host for host in found["hosts"]}
    assert (hosts["hall-1"]["lost"], hosts["hall-1"]["events"]) == (5, _ALLOWED + _DENIED + 2)
    assert (hosts["hall-9"]["first"], hosts["hall-9"]["expected"]) == (None, True)
    assert "HOOKS_ALTERED" in [row["kind"] for row in found["notices"]["rows"]]


def test_who_changed_the_policy_and_who_approved_it(auditor: Person) -> None:
    change = auditor.json(*_words(auditor), status=1)["changes"]["rows"][-1]
    assert [(step["what"], step["who"]) for step in change["steps"]][:3] == [
        ("proposed", "operator/olga"),
        ("approved", "approver/first-approver"),
        ("accepted", "operator/olga"),
    ]
    texts = change["texts"]
    assert (texts["reason"], texts["ticket"], texts["approvers"]) == ("failover to Hamar", "NET-1412", "first-approver")
    assert (texts["version"], texts["widenings"]) == ("2", "1")
    assert change["notes"] == ["eea-user-data allow: 192.0.2.0/25 tcp/443"]


def test_the_life_of_an_incident_without_the_controllers_database(auditor: Person) -> None:
    incidents = {row["texts"]["rule"]: row for row in auditor.json(*_words(auditor), status=1)["incidents"]["rows"]}
    assert sorted(incidents) == ["denials", "loss", "tamper"]
    life = next(row for row in incidents.values() if row["number"] == "1")
    assert (life["outcome"], life["texts"]["reason"]) == ("closed", "a cron job of an old image")
    assert [(step["what"], step["who"]) for step in life["steps"]] == [
        ("opened", "controller"),
        ("acknowledged", "approver/first-approver"),
        ("closed", "approver/first-approver"),
    ]
    assert (incidents["denials"]["texts"]["about"], incidents["denials"]["texts"]["count"]) == (
        "203.0.113.9:443/tcp",
        "23",
    )


def test_on_paper_and_on_a_page_twice_the_same(auditor: Person) -> None:
    outs = [auditor.home / name for name in ("one.html", "one.pdf", "two.html", "two.pdf")]
    for html, pdf in (outs[:2], outs[2:]):
        auditor.run(*_words(auditor), "--out", html, "--out", pdf, status=1)
    assert outs[0].read_bytes() == outs[2].read_bytes()
    assert outs[1].read_bytes() == outs[3].read_bytes()
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(outs[1].read_bytes())).pages)
    for expected in ("Integrity: verified", "failover to Hamar", "a cron job of an old image", "never enrolled"):
        assert expected in text
        assert expected in outs[0].read_text()
    assert "exists" in auditor.complains(*_words(auditor), "--out", outs[0], status=2)


def test_a_copy_that_somebody_altered_is_reported_as_what_it_is(auditor: Person) -> None:
    path = next(path for path in sorted((auditor.home / "log" / "tile" / "entries").rglob("*")) if path.is_file())
    sound = path.read_bytes()
    try:
        path.write_bytes(sound.replace(b"failover to Hamar", b"failover to Hammr"))
        auditor.run(*_words(auditor), "--out", auditor.home / "altered.html", status=1)
    finally:
        path.write_bytes(sound)
    page = (auditor.home / "altered.html").read_text()
    assert "Integrity: NOT verified" in page
    assert "failover to Hammr" not in page


def test_what_is_asked_wrongly_is_refused_before_anything_is_read(auditor: Person) -> None:
    words = _words(auditor)
    auditor.run(*words, status=2)
    assert "choose one of these endings" in auditor.complains(*words, "--out", auditor.home / "report.doc", status=2)
    assert "is empty" in auditor.complains(*words, "--from", "2031-01-01", "--json", status=2)
    assert "holds no log" in auditor.complains(*_words(auditor, "nowhere"), "--json", status=2)
