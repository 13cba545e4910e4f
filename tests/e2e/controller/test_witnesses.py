"""Witnesses: asked over HTTP and by themselves, and what they do when the log is not what it was."""

import asyncio
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast.tlog import consistency
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey
from landfast.tlog.note import VerifierKey
from landfast.tlog.tree import Tree
from landfast.tlog.witness import Submission, path_of
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import AddCosignatureRequest, ReadLogRequest, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast_cli.witness import home
from landfast_controller import log_key
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import CLI, Deployment, code_of, details_of
from tests.e2e.controller.person import Person
from tests.testbed import eventually
from tests.testbed.program import Program
from tests.unit.tlog import naive
from tests.unit.tlog.naive import OTHER_COSIGNER, SIGNER

_WAIT_S = 60


class Partner:
    """Somebody with a witness that is served, on a port that it keeps."""

    def __init__(self, home: Path, name: str, *logs: Path) -> None:
        self.directory, self.logs, self.port = home / name, logs, 0
        done = Program(
            [*CLI, "audit", "witness", "create", self.directory, "--name", f"{name}.example/w1"], home / "made"
        )
        assert done.wait(30) == 0, done.output
        self.key_file = self.directory / "witness.pub"
        self.key = WitnessKey.parse(self.key_file.read_text())
        self._log = home / f"{name}.log"

    def start(self) -> "Partner":
        keys = [word for log in self.logs for word in ("--key", log)]
        listen = f"127.0.0.1:{self.port}"
        self._log.unlink(missing_ok=True)
        self.program = Program(
            [*CLI, "audit", "witness", "serve", self.directory, *keys, "--listen", listen], self._log
        ).ready(lambda: "listens on" in self._log.read_text(), 30)
        self.port = int(re.findall(r"listens on 127.0.0.1:(\d+)", self._log.read_text())[0])
        return self

    def kill(self) -> None:
        self.program.process.send_signal(signal.SIGKILL)
        self.program.process.wait(10)

    def ask(self, submission: Submission) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/add-checkpoint", submission.encode())
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @property
    def setting(self) -> str:
        return f'[[witnesses]]\nkey = "{self.key}"\nurl = "http://127.0.0.1:{self.port}/"\n'


@pytest.fixture
def watched(fresh: Deployment) -> Iterator[Deployment]:
    """Not started yet."""
    made = fresh.copy()
    yield made
    made.remove()


@pytest.fixture
def partner(watched: Deployment, tmp_path: Path) -> Iterator[Partner]:
    """A witness that the controller asks."""
    made = Partner(tmp_path, "partner", watched.directory / "log.pub").start()
    watched.settings += made.setting
    yield made
    made.program.stop()


@pytest.fixture
def looker(watched: Deployment, tmp_path: Path) -> Partner:
    """A witness that looks by itself."""
    made = Partner(tmp_path, "looker", watched.directory / "log.pub")
    watched.settings += f'[[witnesses]]\nkey = "{made.key}"\n'
    return made


def _auditor(deployment: Deployment, home: Path) -> Person:
    asyncio.run(deployment.identity("auditor")).write(home / "vera.pem")
    person = Person(deployment, home)
    person.login(home / "vera.pem")
    return person


def _report(deployment: Deployment, host: str, number: int) -> None:
    async def report() -> None:
        bundle = await deployment.enrol(host)
        async with deployment.channel(bundle) as channel:
            stream = AgentServiceStub(channel).Push()
            for data in Chain(host).batches(number):
                await stream.write(PushRequest(batch=data))
                await stream.read()

    asyncio.run(report())


def _read(deployment: Deployment, path: str) -> bytes:
    async def read() -> bytes:
        async with deployment.channel(deployment.approver) as channel:
            return (await AuditServiceStub(channel).ReadLog(ReadLogRequest(path=path))).content

    return asyncio.run(read())


def _key(deployment: Deployment) -> VerifierKey:
    return VerifierKey.parse((deployment.directory / "log.pub").read_text())


def _size(deployment: Deployment, path: str = "checkpoint") -> int:
    """0 when there is none."""
    try:
        return Checkpoint.open(_read(deployment, path), _key(deployment)).size
    except AioRpcError as failure:
        if failure.code() != StatusCode.NOT_FOUND:
            raise
        return 0


def _cosigned(deployment: Deployment, partner: Partner, size: int) -> None:
    eventually(lambda: _size(deployment, path_of(partner.key)) >= size, f"{partner.key.name} has cosigned", _WAIT_S)


def _published(deployment: Deployment) -> int:
    """How many entries there are now, when a checkpoint tells of all of them."""

    async def head() -> int:
        async with deployment.channel(deployment.approver) as channel:
            return max([each.index async for each in AuditServiceStub(channel).Subscribe(SubscribeRequest())]) + 1

    size = asyncio.run(head())
    eventually(lambda: _size(deployment) >= size, "a checkpoint tells of everything", _WAIT_S, 0.1)
    return size


@pytest.mark.long
def test_two_witnesses_of_both_kinds_and_an_auditor_who_requires_them(
    watched: Deployment, partner: Partner, looker: Partner, tmp_path: Path
) -> None:
    watched.start()
    auditor, key = _auditor(watched, tmp_path), watched.directory / "log.pub"
    both = ("--witness", str(partner.key), "--witness", looker.key_file)
    run = ("audit", "witness", "run", looker.directory, "--once", "--key", key)
    _report(watched, "hall", 300)
    size = _published(watched)
    assert "no cosignature of looker.example/w1" in auditor.run("audit", "verify", *both, status=1).stdout
    assert "cosigned by looker.example/w1" in auditor.says(*run)
    _cosigned(watched, looker, 1)
    eventually(lambda: auditor.says(*run) and _size(watched, path_of(looker.key)) >= size, "all is cosigned", _WAIT_S)
    _cosigned(watched, partner, size)

    found = auditor.json("audit", "verify", *both, "--key", key)
    assert found["witnesses"]["covers"] >= size
    assert {each["witness"] for each in found["witnesses"]["cosigned"]} == {str(partner.key), str(looker.key)}
    assert "cosigned by looker.example/w1" in auditor.says("audit", "mirror", tmp_path / "log", *both)
    offline = ("--key", key, "--offline", tmp_path / "log")
    covered = auditor.json("audit", "verify", *offline, *both)["witnesses"]["covers"]
    assert covered >= size
    assert f"witnessed: the first {covered} entries" in auditor.says("audit", "verify", *offline, *both)

    proof = tmp_path / "one.tlog-proof"
    auditor.says("audit", "prove", str(size - 1), "--out", proof, *both, *offline)
    told = auditor.says("audit", "check-proof", proof, "--key", key, *both)
    assert "cosigned by partner.example/w1 at " in told
    assert "cosigned by looker.example/w1 at " in told
    stranger = ("--witness", str(OTHER_COSIGNER.verifier))
    error = auditor.complains("audit", "check-proof", proof, "--key", key, *both, *stranger, status=1)
    assert "missing: other.example/w2" in error
    auditor.says("audit", "check-proof", proof, "--key", key, *both, *stranger, "--witnesses-needed", "2")
    assert "no cosignature of other" in auditor.run("audit", "verify", *offline, *stranger, status=1).stdout
    assert "no cosignature of other" in auditor.complains("audit", "mirror", tmp_path / "log", *stranger, status=1)


def test_a_witness_that_the_controller_does_not_know_yet_waits(watched: Deployment, tmp_path: Path) -> None:
    """It is told so, and that is no verdict on the log."""
    watched.start()
    auditor, early = _auditor(watched, tmp_path), Partner(tmp_path, "early", watched.directory / "log.pub")
    run = ("audit", "witness", "run", early.directory, "--key", watched.directory / "log.pub")
    assert "names no witness yet; give your key" in auditor.complains(*run, "--once", status=3)
    settings = watched.settings
    with Program([*CLI, *map(str, run), "--every", "1s"], tmp_path / "run.log", env=auditor.environment) as program:
        program.ready(lambda: "it is tried again" in program.output, 20)
        watched.kill()
        watched.settings = f'{settings}[[witnesses]]\nkey = "{early.key}"\n'
        watched.start()
        program.ready(lambda: f"cosigned by {early.key.name}" in program.output, 30)


@pytest.mark.long
def test_a_witness_that_is_away_delays_nothing_and_catches_up(watched: Deployment, partner: Partner) -> None:
    """Also when the controller knows nothing of what it has cosigned, as when its answer was lost: it says 409."""
    watched.start()
    _cosigned(watched, partner, 1)
    partner.program.process.send_signal(signal.SIGSTOP)  # it takes what it is asked, and does not answer
    _report(watched, "hall", 20)
    size = _published(watched)
    assert size > 20
    assert _size(watched, path_of(partner.key)) < size
    partner.kill()
    said = watched.logs[-1].read_text
    eventually(lambda: "a witness does not cosign" in said(), "the controller says so", _WAIT_S)
    watched.kill()
    with sqlite3.connect(watched.directory / "landfast.db") as database:
        database.execute("DELETE FROM witnessed")
    database.close()
    partner.start()
    watched.start()
    _cosigned(watched, partner, size)
    assert "409: from 0 entries, and" in partner.program.output


def test_a_witness_that_somebody_else_has_asked_is_asked_for_what_is_newest(
    watched: Deployment, tmp_path: Path
) -> None:
    """Anybody may hand it a checkpoint: a round that it is ahead of is not waited for."""
    partner = Partner(tmp_path, "partner", watched.directory / "log.pub").start()
    partner.kill()
    watched.settings += partner.setting
    watched.start()
    asked = _size(watched, "witness/next")
    _report(watched, "hall", 5)
    ahead = _published(watched)
    note = _read(watched, "checkpoint")
    assert watched.program
    watched.program.process.send_signal(signal.SIGSTOP)
    try:
        assert partner.start().ask(Submission(0, (), note))[0] == 200
    finally:
        watched.program.process.send_signal(signal.SIGCONT)
    _cosigned(watched, partner, ahead)
    assert asked < ahead
    partner.program.stop()


def test_a_forked_log_is_cosigned_by_nobody_and_seen_by_all(
    watched: Deployment, partner: Partner, looker: Partner, tmp_path: Path
) -> None:
    """A controller that was made to forget: of an older database, and without what it has shown."""
    watched.start()
    auditor, key = _auditor(watched, tmp_path), watched.directory / "log.pub"
    run = ("audit", "witness", "run", looker.directory, "--once", "--key", key)
    _published(watched)
    watched.kill()
    shutil.copytree(watched.directory, tmp_path / "before")
    watched.start()
    _report(watched, "hall-1", 30)
    shown = _published(watched)
    eventually(lambda: auditor.says(*run) and _size(watched, path_of(looker.key)) >= shown, "all is cosigned", _WAIT_S)
    _cosigned(watched, partner, shown)

    watched.kill()
    for name in ("landfast.db", "landfast.db-wal", "landfast.db-shm", "log.checkpoint"):
        (watched.directory / name).unlink(missing_ok=True)
    for path in (tmp_path / "before").glob("landfast.db*"):
        shutil.copy(path, watched.directory)
    watched.settings = watched.settings.replace(f'[[witnesses]]\nkey = "{looker.key}"\n', "")  # nobody waits for it
    watched.start()
    _report(watched, "hall-2", 3)
    eventually(lambda: "and the log holds" in _incident(auditor), "a log that is shorter", _WAIT_S, 0.5)
    assert "it was cut" in auditor.complains(*run, status=1)
    _report(watched, "hall-3", 60)
    size = _published(watched)
    assert size > shown
    eventually(lambda: "422: it is not proved" in partner.program.output, "the fork is refused", _WAIT_S)
    eventually(
        lambda: "other entries than the first" in watched.logs[-1].read_text(), "the controller says so", _WAIT_S
    )
    assert "a fork" in auditor.complains(*run, status=1)
    (evidence,) = looker.directory.glob("*.fork")
    assert Checkpoint.open(evidence.read_bytes(), _key(watched)).size > shown
    verdict = auditor.json("audit", "verify", "--witness", partner.key_file, "--silent-after", "0s", status=1)
    assert verdict["witnesses"]["covers"] < shown
    assert ["has cosigned only the first" in each["text"] for each in verdict["integrity"]["findings"]] == [True]


def _incident(auditor: Person) -> str:
    """What the open incident of the rule `witness` says."""
    for status in (0, 1):
        try:
            listed = auditor.json("incidents", "list", status=status)
            return " ".join(each["text"] for each in listed if each["rule"] == "witness")
        except AssertionError:
            continue
    raise AssertionError("incidents cannot be listed")


@pytest.mark.long
def test_a_witness_that_never_looks_is_an_incident_and_ends_no_round_for_others(
    watched: Deployment, partner: Partner, looker: Partner, tmp_path: Path
) -> None:
    watched.settings = watched.settings.replace('silent_after = "30d"', 'silent_after = "20s"')
    watched.start()
    auditor = _auditor(watched, tmp_path)
    _report(watched, "hall", 3)
    eventually(lambda: "cosigned nothing for" in _incident(auditor), "it is missed", 3 * _WAIT_S, 1)
    _report(watched, "hall-2", 3)
    _cosigned(watched, partner, _published(watched))


async def test_the_controller_takes_only_cosignatures_of_its_witnesses_over_its_own_log(
    watched: Deployment, looker: Partner, tmp_path: Path
) -> None:
    await asyncio.to_thread(watched.start)
    auditor, signer = await watched.identity("auditor"), log_key.load(watched.directory, "landfast.internal")
    note = await asyncio.to_thread(_read, watched, "checkpoint")
    text = signer.verifier.text_of(note)
    newest = Checkpoint.open(note, signer.verifier)
    forged = Checkpoint(newest.origin, newest.size, bytes(32)).sign(signer)
    ahead = Checkpoint(newest.origin, newest.size + 1000, newest.root).sign(signer)
    with home.opened(looker.directory) as cosigner:
        mine, theirs = cosigner.cosign(text, 5).encode(), OTHER_COSIGNER.cosign(text, 5).encode()
        over_forged = cosigner.cosign(signer.verifier.text_of(forged), 5).encode()
        over_ahead = cosigner.cosign(signer.verifier.text_of(ahead), 5).encode()
    refused = [
        (b"", StatusCode.INVALID_ARGUMENT, "not a signed note"),
        (note, StatusCode.INVALID_ARGUMENT, "those are: looker.example/w1"),
        (note + theirs, StatusCode.INVALID_ARGUMENT, "no witness of the controller's configuration"),
        (note + over_forged, StatusCode.INVALID_ARGUMENT, "wrong signature"),
        (note.partition(b"\n\n")[0] + b"\n\n" + mine, StatusCode.INVALID_ARGUMENT, "has not signed"),
        (note + mine + 2000 * theirs, StatusCode.INVALID_ARGUMENT, "are taken at most"),
        (forged + over_forged, StatusCode.FAILED_PRECONDITION, "not of this log's history"),
        (ahead + over_ahead, StatusCode.FAILED_PRECONDITION, "not of this log's history"),
    ]
    async with watched.channel(auditor) as channel:
        stub = AuditServiceStub(channel)
        for request, code, why in refused:
            with pytest.raises(AioRpcError) as failure:
                await stub.AddCosignature(AddCosignatureRequest(note=request))
            assert (code_of(failure), why in details_of(failure)) == (code, True), details_of(failure)
        await stub.AddCosignature(AddCosignatureRequest(note=note + theirs + mine))
        kept = (await stub.ReadLog(ReadLogRequest(path=path_of(looker.key)))).content
        assert kept == note + mine, "what strangers sign is not kept"
        await stub.AddCosignature(AddCosignatureRequest(note=note + mine))


def test_a_witness_killed_before_it_answers_has_not_forgotten(tmp_path: Path) -> None:
    """It persists first: asked again, with another history, it still refuses."""
    (tmp_path / "log.pub").write_text(f"{SIGNER.verifier}\n")
    entries = [b"entry %d" % number for number in range(40)]
    other = [b"another", *entries[1:]]
    partner = Partner(tmp_path, "partner", tmp_path / "log.pub").start()
    try:
        connection = HTTPConnection("127.0.0.1", partner.port, timeout=20)
        connection.request("POST", "/add-checkpoint", _submission(0, entries[:23]).encode())
        eventually(lambda: list(partner.directory.glob("*.checkpoint")), "it is remembered", 20)
        partner.kill()
        connection.close()
        partner.start()
        assert partner.ask(_submission(0, entries)) == (409, b"23\n")
        assert partner.ask(_submission(0, other)) == (409, b"23\n")
        assert partner.ask(_submission(23, other))[0] == 422
        assert partner.ask(_submission(23, other[:23])) == (409, b"23\n")
        status, lines = partner.ask(_submission(23, entries[:23]))
        assert status == 200, "what may have been cosigned is cosigned again"
        status, lines = partner.ask(_submission(23, entries))
        note = _submission(23, entries).note
        assert status == 200
        assert partner.key.cosigned_s(note + lines)
        assert [path.suffix for path in partner.directory.glob("*.fork")] == [".fork"]
    finally:
        partner.program.stop()


def test_two_witnesses_of_one_key_are_not_possible(tmp_path: Path) -> None:
    (tmp_path / "log.pub").write_text(f"{SIGNER.verifier}\n")
    partner = Partner(tmp_path, "partner", tmp_path / "log.pub").start()
    try:
        second = Program(
            [
                *CLI,
                "audit",
                "witness",
                "serve",
                partner.directory,
                "--key",
                tmp_path / "log.pub",
                "--listen",
                "[::1]:0",
            ],
            tmp_path / "second.log",
        )
        assert second.wait(30) == 3
        assert "another process is this witness" in second.output
    finally:
        partner.program.stop()


def _submission(old: int, entries: list[bytes]) -> Submission:
    files = naive.published(entries)
    newest = Checkpoint.open(files["checkpoint"], SIGNER.verifier)
    tree = Tree(newest, naive.reader(files))
    return Submission(old, consistency.prove(tree, old) if old <= newest.size else (), files["checkpoint"])
