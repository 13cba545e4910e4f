"""The published log: what an auditor copies, verifies and proves, and what gives a lying controller away."""

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast import event_key
from landfast.beginning import Beginning
from landfast.identity import Bundle
from landfast.tlog import bundle as bundles
from landfast.tlog.bundle import Entry
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.note import VerifierKey
from landfast.tlog.tiles import Tile
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction, ReadLogRequest, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2 import BanHostRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from landfast_controller import log_key
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import SERVER, Deployment, code_of
from tests.e2e.controller.person import Person
from tests.testbed import eventually
from tests.testbed.event_keys import public
from tests.unit.tlog import naive


@pytest.fixture(scope="module")
def deployment(unshared: Deployment) -> Deployment:
    """What other tests make hosts do would be findings."""
    return unshared


@pytest.fixture
def auditor(deployment: Deployment, tmp_path: Path) -> Person:
    """Somebody who has the log's key from whoever made the deployment."""
    person = Person(deployment, tmp_path)
    person.login(deployment.directory / "first-approver.pem")
    return person


@pytest.fixture
def copy(auditor: Person) -> Callable[[], Path]:
    """Mirrors the log, with all that is in it now."""

    def mirror() -> Path:
        size = asyncio.run(_head(auditor.deployment))
        eventually(lambda: asyncio.run(_size(auditor.deployment)) >= size, "a checkpoint tells of everything", 30)
        auditor.says("audit", "mirror", auditor.home / "log")
        return auditor.home / "log"

    return mirror


async def _push(deployment: Deployment, host: Bundle, batches: list[bytes]) -> None:
    async with deployment.channel(host) as channel:
        stream = AgentServiceStub(channel).Push()
        for data in batches:
            await stream.write(PushRequest(batch=data))
            await stream.read()


def _report(deployment: Deployment, number: int) -> str:
    """A new host with so many batches."""

    async def report() -> str:
        host = deployment.name("audited")
        await _push(deployment, await deployment.enrol(host), Chain(host).batches(number))
        return host

    return asyncio.run(report())


async def _read(deployment: Deployment, *paths: str) -> list[bytes]:
    async with deployment.channel(deployment.approver) as channel:
        stub = AuditServiceStub(channel)
        return [(await stub.ReadLog(ReadLogRequest(path=path))).content for path in paths]


async def _size(deployment: Deployment) -> int:
    key = VerifierKey.parse((deployment.directory / "log.pub").read_text())
    return Checkpoint.open((await _read(deployment, "checkpoint"))[0], key).size


async def _head(deployment: Deployment) -> int:
    async with deployment.channel(deployment.approver) as channel:
        found = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
        return max([entry.index async for entry in found]) + 1


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _entries(files: dict[str, bytes]) -> list[bytes]:
    tiles = [Tile.parse(path) for path in files if "entries" in path]
    tiles.sort(key=lambda tile: tile.begin)
    return [entry for tile in tiles for entry in bundles.decode(files[tile.path], tile.width)]


def test_a_mirror_is_the_log_to_the_last_byte(deployment: Deployment, copy: Callable[[], Path]) -> None:
    _report(deployment, 300)
    files = _files(copy())
    entries = _entries(files)
    expected = naive.published(entries)
    assert {path: content for path, content in files.items() if path != "checkpoint"} == {
        path: content for path, content in expected.items() if path != "checkpoint"
    }

    async def followed() -> list[tuple[int, bytes]]:
        async with deployment.channel(deployment.approver) as channel:
            found = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
            return [(entry.received.ToNanoseconds(), entry.batch or entry.control) async for entry in found]

    decoded = [Entry.decode(entry) for entry in entries]
    assert [(each.received_ns, each.content) for each in decoded] == asyncio.run(followed())[: len(decoded)]


def test_copied_verified_and_proved(deployment: Deployment, auditor: Person, copy: Callable[[], Path]) -> None:
    host = _report(deployment, 20)
    kept = copy()
    auditor.run("audit", "verify", "--hosts", _roster(auditor, host), "--silent-after", "1h")
    key = deployment.directory / "log.pub"
    offline = ("audit", "verify", "--key", key, "--offline", kept, "--silent-after", "1h")
    found = auditor.json(*offline, "--hosts", _roster(auditor, host))
    assert (found["integrity"]["holds"], found["completeness"]["holds"]) == (True, True)
    assert found["hosts"][host]["batches"] == 20
    assert (found["hosts"][host]["event_keys"], found["hosts"][host]["keys_from"]) == ([_key(host)], "log")
    missing = auditor.json(*offline, "--hosts", _roster(auditor, host, "hall-99"), status=1)
    assert [each["host"] for each in missing["completeness"]["findings"]] == ["hall-99"]
    index = _newest_of(auditor, host)
    proof = auditor.home / "event.tlog-proof"
    auditor.says("audit", "prove", str(index), "--out", proof)
    assert host in auditor.says("audit", "check-proof", proof, "--key", key)
    signed = ("audit", "check-proof", proof, "--key", key, "--host-key")
    assert f"signed by {host} with the event key {_key(host)}" in auditor.says(*signed, _key(host))
    assert f"is not signed by the event key {_key('x')}" in auditor.complains(*signed, _key("x"), status=1)
    assert "'ssh-ed25519' is no event key" in auditor.complains(*signed, "ssh-ed25519", status=2)
    others, check = auditor.home / "control.tlog-proof", ("audit", "check-proof", "--key", key)
    auditor.says("audit", "prove", "0", "--out", others)
    assert "no host has signed it" in auditor.says(*check, others)
    assert "leave --host-key away" in auditor.complains(*check, others, "--host-key", _key(host), status=1)
    assert "nothing.tlog-proof is missing" in auditor.complains(*check, auditor.home / "nothing.tlog-proof", status=3)
    proof.write_text(proof.read_text().replace(f"index {index}", f"index {index - 1}"))
    assert "does not lead to the root" in auditor.complains("audit", "check-proof", proof, "--key", key, status=1)


def _newest_of(auditor: Person, host: str) -> int:
    """Index of the newest entry with an event of the host."""
    events = map(json.loads, auditor.says("events", "follow", "--no-follow", "--format", "json").splitlines())
    return max(event["index"] for event in events if event.get("host") == host)


def _key(host: str) -> str:
    """The host's event key, as people have it."""
    return event_key.text(public(host))


def test_the_keys_of_the_roster_are_what_counts(
    deployment: Deployment, auditor: Person, copy: Callable[[], Path]
) -> None:
    """A controller can enrol a key of its own in a host's name; who has the host's own is not taken in."""
    mine, theirs, third = (_report(deployment, number) for number in (3, 5, 1))
    verify = ("audit", "verify", "--offline", copy(), "--silent-after", "1h", "--hosts")
    good = _roster(auditor, f"{mine} {_key(mine)}", f"{theirs}  {_key(theirs)}  # asked on its console", third)
    found = auditor.json(*verify, good)
    assert [found["hosts"][host]["keys_from"] for host in (mine, theirs)] == ["roster", "roster"]
    (line,) = [line for line in auditor.says(*verify, good).splitlines() if "the log's word" in line]
    assert third in line
    assert mine not in line
    forged = auditor.json(*verify, _roster(auditor, mine, f"{theirs} {_key('another')}"), status=1)
    kinds = [(each["kind"], each["host"]) for each in forged["integrity"]["findings"]]
    assert kinds == [("unknown-key", theirs)] + [("signature", theirs)] * 5
    assert "line 2: 'KEY' is no event key" in auditor.complains(*verify, _roster(auditor, f"{mine} KEY"), status=2)


def _rewritten(auditor: Person, entries: list[bytes]) -> tuple[str | Path, ...]:
    """The command that verifies a log with these entries, signed by the key that the auditor takes for the log's."""
    lie, key = auditor.home / "lie", auditor.home / "lie.pub"
    for path, content in naive.published(entries).items():
        (lie / path).parent.mkdir(parents=True, exist_ok=True)
        (lie / path).write_bytes(content)
    key.write_text(str(naive.SIGNER.verifier))
    return "audit", "verify", "--offline", lie, "--key", key, "--silent-after", "1h"


def test_what_a_controller_leaves_out_from_the_beginning_on(
    deployment: Deployment, auditor: Person, copy: Callable[[], Path]
) -> None:
    """The host has recorded before it joined, and said where it begins; a controller that has the log's key lies."""
    host, begins = deployment.name("audited"), Beginning(100, bytes(32))
    chain = Chain(host, begins.first, begins.previous)
    chain.begins = begins.first

    async def report() -> None:
        await _push(deployment, await deployment.enrol(host, begins=begins), chain.batches(3))

    asyncio.run(report())
    entries = _entries(_files(copy()))
    roster = ("--hosts", _roster(auditor, f"{host} {_key(host)}"))
    assert auditor.json(*_rewritten(auditor, entries), *roster)["hosts"][host]["first_sequence"] == 100
    decoded = [Entry.decode(entry) for entry in entries]
    own = [at for at, entry in enumerate(decoded) if host.encode() in entry.content]
    enrolment, batches = next(at for at in own if b"begins" in decoded[at].content), own[-3:]
    del entries[batches[0]]
    found = auditor.json(*_rewritten(auditor, entries), *roster, status=1)
    (gap,) = found["completeness"]["findings"]
    assert (gap["kind"], gap["host"], gap["index"], gap["sequence"]) == ("gap", host, batches[1] - 1, 105)
    assert found["integrity"]["holds"]
    action = ControlAction.FromString(decoded[enrolment].content)
    for name in ("begins", "begins_after", "csr_sha256", "begins_signature"):
        del action.fields[name]
    entries[enrolment] = replace(decoded[enrolment], content=action.SerializeToString()).encode()
    found = auditor.json(*_rewritten(auditor, entries), *roster, status=1)
    assert [each["kind"] for each in found["integrity"]["findings"]] == ["concealed"]
    assert (found["hosts"][host]["unstated"], found["completeness"]["holds"]) == (enrolment, True)
    told = auditor.run(*_rewritten(auditor, entries), *roster, status=1).stdout
    assert "1 hosts have not said where they begin" in told
    assert f"{host} (index {enrolment})" in told


def _roster(auditor: Person, *hosts: str) -> Path:
    file = auditor.home / "roster.txt"
    file.write_text("# who should report\n" + "\n".join(hosts))
    return file


def test_a_mirror_goes_on_and_keeps_only_what_its_checkpoint_needs(
    deployment: Deployment, auditor: Person, copy: Callable[[], Path]
) -> None:
    before = copy()
    old = _files(before)
    _report(deployment, 10)
    new = _files(copy())
    assert len([path for path in new if ".p/" in path]) == len([path for path in old if ".p/" in path])
    assert new["checkpoint"] != old["checkpoint"]
    auditor.run("audit", "verify", "--offline", before, "--hosts", _roster(auditor))


def test_an_altered_copy_is_found_out_with_the_place(
    deployment: Deployment, auditor: Person, copy: Callable[[], Path]
) -> None:
    _report(deployment, 3)
    kept = copy()
    path = next(path for path in sorted(kept.rglob("*")) if path.is_file() and "entries" in str(path))
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    found = auditor.json("audit", "verify", "--offline", kept, status=1)
    assert [(each["kind"], each["index"]) for each in found["integrity"]["findings"]] == [("altered", 0)]
    assert "index 0: altered" in auditor.run("audit", "verify", "--offline", kept, status=1).stdout


def test_another_history_with_the_same_key_is_refused(
    deployment: Deployment, fragile: Deployment, auditor: Person, copy: Callable[[], Path]
) -> None:
    """`fragile` was made from the same directory: it is what a controller would show to somebody else."""
    kept = copy()
    before = _files(kept)
    other = Person(fragile, auditor.home)
    other.login(fragile.directory / "first-approver.pem")
    assert "it was cut" in other.complains("audit", "mirror", kept, status=1)
    _report(fragile, len(before) + asyncio.run(_head(deployment)))
    eventually(lambda: asyncio.run(_size(fragile)) > asyncio.run(_size(deployment)), "a longer log", 30)
    assert "a fork" in other.complains("audit", "mirror", kept, status=1)
    assert _files(kept) == before


async def test_paths_that_are_none_and_parts_that_are_not_there(deployment: Deployment) -> None:
    for path, code in (("../landfast.db", StatusCode.INVALID_ARGUMENT), ("tile/0/999", StatusCode.NOT_FOUND)):
        with pytest.raises(AioRpcError) as failure:
            await _read(deployment, path)
        assert code_of(failure) == code


async def test_readers_who_hang_up_end_nothing_but_their_own_calls(fragile: Deployment) -> None:
    """Whatever the controller is at with a call, at that moment."""
    async with fragile.channel(fragile.approver) as channel:
        stub = AuditServiceStub(channel)
        size = int((await stub.ReadLog(ReadLogRequest(path="checkpoint"))).content.split(b"\n")[1])
        request = ReadLogRequest(path=f"tile/entries/000.p/{size}")
        assert (await stub.ReadLog(request)).content
        for number in range(500):
            call = stub.ReadLog(request)
            await asyncio.sleep(number % 50 / 10_000)
            call.cancel()
        assert (await stub.ReadLog(request)).content
    assert fragile.program is not None
    assert fragile.program.process.poll() is None


async def test_what_is_too_large_for_an_entry_is_refused(deployment: Deployment) -> None:
    host = deployment.name("host")
    await deployment.enrol(host)
    async with deployment.channel(deployment.approver) as channel:
        with pytest.raises(AioRpcError) as failure:
            await FleetServiceStub(channel).BanHost(BanHostRequest(name=host, reason="x" * 70_000))
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT


@pytest.mark.long
async def test_kills_while_publishing_leave_one_log(fragile: Deployment, tmp_path: Path) -> None:
    """Whatever was signed before a kill is the beginning of what is signed after it."""
    hosts = {host: await fragile.enrol(host) for host in ("hall-1", "hall-2")}
    auditor = Person(fragile, tmp_path)
    auditor.login(fragile.directory / "first-approver.pem")
    chains = [Chain(host) for host in hosts]
    for _ in range(4):
        pushes = [
            asyncio.ensure_future(_push(fragile, hosts[chain.host], chain.batches(60, events=1))) for chain in chains
        ]
        await asyncio.gather(*pushes)
        await asyncio.sleep(random.uniform(0, 1.2))
        stored = await _head(fragile)
        fragile.kill()
        await asyncio.to_thread(fragile.start)
        assert await _size(fragile) >= stored  # asking is an entry itself
        await asyncio.to_thread(auditor.says, "audit", "mirror", tmp_path / "log")
    found = await asyncio.to_thread(auditor.json, "audit", "verify", "--offline", tmp_path / "log")
    assert {host: each["batches"] for host, each in found["hosts"].items()} == {"hall-1": 240, "hall-2": 240}


@pytest.fixture
def stopped(fresh: Deployment) -> Iterator[Deployment]:
    """A deployment that has published, and is not running."""
    made = fresh.copy()
    try:
        made.start()
        made.kill()
        yield made
    finally:
        made.remove()


def _refused(deployment: Deployment) -> str:
    done = subprocess.run(
        [*SERVER, "serve", "--dir", deployment.directory, "--listen", "127.0.0.1:0"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    return done.stderr


def test_nothing_is_signed_with_another_key_or_over_an_altered_tree(stopped: Deployment) -> None:
    key = stopped.directory / "log.key"
    mine = key.read_bytes()
    key.unlink()
    assert "log.key is missing" in _refused(stopped)
    shutil.copy(stopped.directory / "online.key", key)
    assert "has not signed" in _refused(stopped)
    key.write_bytes(mine)
    with sqlite3.connect(stopped.directory / "landfast.db") as database:
        database.execute("UPDATE tiles SET hashes = zeroblob(length(hashes))")
    database.close()
    assert "does not lead to its newest checkpoint" in _refused(stopped)


def test_nothing_is_signed_that_contradicts_what_somebody_may_have_seen(stopped: Deployment) -> None:
    """What a database of an older backup would lead to."""
    told, signer = stopped.directory / "log.checkpoint", log_key.load(stopped.directory, "landfast.internal")
    newest = Checkpoint.open(told.read_bytes(), signer.verifier)
    told.write_bytes(Checkpoint(newest.origin, newest.size + 1, newest.root).sign(signer))
    assert "of an older backup" in _refused(stopped)
    told.write_bytes(Checkpoint(newest.origin, newest.size, bytes(32)).sign(signer))
    assert "not those that auditors may have seen" in _refused(stopped)
    with sqlite3.connect(stopped.directory / "landfast.db") as database:
        database.executescript("DELETE FROM tiles; DELETE FROM checkpoint")
    database.close()
    assert "not those that auditors may have seen" in _refused(stopped)
    told.write_bytes(newest.sign(signer))
    stopped.start()
    assert asyncio.run(_size(stopped)) == newest.size


def test_a_deployment_of_before_gets_a_key_and_a_tree(fresh: Deployment, tmp_path: Path) -> None:
    made = fresh.copy()
    try:
        for name in ("log.key", "log.pub"):
            (made.directory / name).unlink()
        with sqlite3.connect(made.directory / "landfast.db") as database:
            database.executescript("DROP TABLE tiles; DROP TABLE checkpoint")
        database.close()
        made.start()
        person = Person(made, tmp_path)
        person.login(made.directory / "first-approver.pem")
        size = asyncio.run(_head(made))
        eventually(lambda: person.json("audit", "verify")["checkpoint"]["size"] == size, "a tree of all of it", 30)
    finally:
        made.remove()
