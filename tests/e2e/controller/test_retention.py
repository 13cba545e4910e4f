"""Entries that are not kept for ever: said before they go, gone in whole bundles, and what is left verifies."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from grpc.aio import AioRpcError
from pymerkle import InclusionProof, InmemoryTree, verify_inclusion

from landfast.identity import Bundle
from landfast.tlog import merkle
from landfast.tlog.note import VerifierKey
from landfast.tlog.proof import Proof
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction, ReadLogRequest, SubscribeRequest, SubscribeResponse
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from tests.e2e.controller.aged import Past, keep, pruned, removed
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import Deployment, code_of, details_of
from tests.e2e.controller.person import Person
from tests.testbed import eventually

_KEEP = '[incidents]\ndenials = 1000000\nsilent_after = "30d"\n[log]\nkeep = "30d"\n'


@pytest.fixture
def past(fresh: Deployment) -> Iterator[Past]:
    """A deployment that never ran, and its past."""
    made = fresh.copy()
    try:
        yield Past(made)
    finally:
        made.remove()


def _ordinary(past: Past) -> Past:
    """Kept for 30 days, of 800 entries: the first 512 may go."""
    past.at(99, past.batches(600)).at(50, keep(30)).at(40, past.batches(700)).at(20, keep(30), past.batches(800))
    return past


def _serve(past: Past, settings: str = _KEEP) -> Deployment:
    past.deployment.settings = settings
    return past.deployment.start()


def _pruned_to(past: Past, oldest: int) -> None:
    eventually(lambda: past.oldest == oldest, f"entries below {oldest} are pruned", 60)


@pytest.fixture(scope="module")
def served(fresh: Deployment) -> Iterator[Deployment]:
    """One that has pruned 512 of its entries."""
    made = fresh.copy()
    try:
        past = _ordinary(Past(made))
        _serve(past)
        _pruned_to(past, 512)
        yield made
    finally:
        made.remove()


def _auditor(deployment: Deployment, home: Path) -> Person:
    person = Person(deployment, home)
    person.login(deployment.directory / "first-approver.pem")
    (home / "roster").write_text("")
    return person


@pytest.fixture
def auditor(served: Deployment, tmp_path: Path) -> Person:
    return _auditor(served, tmp_path)


async def _all(deployment: Deployment, identity: Bundle | None = None, **request: Any) -> list[SubscribeResponse]:
    async with deployment.channel(identity or deployment.approver) as channel:
        return [entry async for entry in AuditServiceStub(channel).Subscribe(SubscribeRequest(**request))]


async def _read(deployment: Deployment, path: str) -> bytes:
    async with deployment.channel(deployment.approver) as channel:
        content: bytes = (await AuditServiceStub(channel).ReadLog(ReadLogRequest(path=path))).content
    return content


def _actions(entries: list[SubscribeResponse], kind: ControlAction.Kind.ValueType) -> list[ControlAction]:
    actions = [ControlAction.FromString(entry.control) for entry in entries if entry.control]
    return [each for each in actions if each.kind == kind]


def _verified(auditor: Person, *words: str | Path, status: int = 0) -> Any:
    return auditor.json("audit", "verify", "--hosts", auditor.home / "roster", *words, status=status)


def _findings(document: Any) -> list[tuple[str, int | None]]:
    return [(each["kind"], each.get("index")) for each in document["integrity"]["findings"]]


def test_what_is_left_verifies(auditor: Person) -> None:
    found = _verified(auditor)
    assert (found["begin"], found["integrity"]["findings"], found["completeness"]["findings"]) == (512, [], [])
    assert found["hosts"]["old"]["first_sequence"] > 500
    assert "entries below 512 are pruned" in auditor.says("audit", "verify", "--hosts", auditor.home / "roster")


def test_it_was_said_before(served: Deployment) -> None:
    entries = asyncio.run(_all(served, from_index=512))
    policies, prunings = (
        _actions(entries, kind) for kind in (ControlAction.KIND_RETENTION_POLICY, ControlAction.KIND_LOG_PRUNED)
    )
    assert {each.fields["keep_s"] for each in policies} == {str(30 * 24 * 3600)}
    assert [each.subject for each in prunings] == ["512"]


def test_a_new_copy_begins_where_the_log_does(auditor: Person) -> None:
    log = auditor.home / "log"
    assert "it begins at index 512" in auditor.says("audit", "mirror", log)
    assert (log / "minimum-index").read_bytes() == b"512\n"
    assert not (log / "tile/entries/001").exists()
    assert (log / "tile/0/001").exists()
    found = _verified(auditor, "--offline", log)
    assert (found["begin"], found["integrity"]["findings"]) == (512, [])
    (log / "minimum-index").write_bytes(b"768\n")
    assert _findings(_verified(auditor, "--offline", log, status=1)) == [("pruned", 768)]
    (log / "minimum-index").unlink()
    assert _findings(_verified(auditor, "--offline", log, status=1))[:2] == [("unreadable", 0), ("unreadable", 256)]


async def test_a_cursor_that_is_too_old(served: Deployment, auditor: Person) -> None:
    first = (await _all(served, from_index=512))[0]
    for start in ({"from_index": 0}, {"from_index": 511}, {"from_time": Timestamp(seconds=1)}):
        with pytest.raises(AioRpcError) as failure:
            await _all(served, **start, follow=True)
        assert code_of(failure) == StatusCode.OUT_OF_RANGE
        assert "the log begins at index 512, stored at 2" in details_of(failure)
    after = Timestamp()
    after.FromNanoseconds(first.received.ToNanoseconds() + 1)
    assert (await _all(served, from_time=after))[0].progress
    error = await asyncio.to_thread(auditor.complains, "events", "follow", "--from", "0", status=2)
    assert "--from 512" in error
    assert "mirror of the log" in error


def test_who_asks_for_all_gets_what_there_is_and_is_told(auditor: Person) -> None:
    done = auditor.run("events", "follow", "--no-follow", "--format", "json")
    assert "the log begins at index 512" in done.stderr
    assert f"{auditor.says('events', 'follow', '--no-follow', '--from', '512', '--format', 'json')}" == done.stdout
    simulated = auditor.run("simulate", auditor.policy(), "--since", "100d")
    assert "the log begins at index 512" in simulated.stderr
    assert f"{800 - 512 - 2} decisions" in simulated.stdout, "two entries are policies"
    suggested = auditor.run(
        "policy", "suggest", "eea-user-data", "--since", "100d", "--out", auditor.home / "draft.yaml"
    )
    assert "the log begins at index 512" in suggested.stderr


async def test_bundles_are_gone_and_hashes_stay(served: Deployment) -> None:
    for path in ("tile/entries/000", "tile/entries/001", "tile/entries/001.p/7"):
        with pytest.raises(AioRpcError) as failure:
            await _read(served, path)
        assert code_of(failure) == StatusCode.OUT_OF_RANGE
        assert "the log begins at index 512" in details_of(failure)
    assert await _read(served, "minimum-index") == b"512\n"
    assert len(await _read(served, "tile/0/000")) == len(await _read(served, "tile/0/001")) == 256 * merkle.SIZE


def test_foreign_tools_check_proofs_of_what_is_left(auditor: Person) -> None:
    assert "the log begins at 512" in auditor.complains(
        "audit", "prove", "511", "--out", auditor.home / "gone", status=3
    )
    for index in (512, 799):
        file = auditor.home / f"{index}.tlog-proof"
        auditor.says("audit", "prove", str(index), "--out", file)
        proof = Proof.decode(file.read_bytes())
        key = VerifierKey.parse((auditor.deployment.directory / "log.pub").read_text())
        checkpoint = proof.check(key)
        leaf, shape = merkle.leaf_hash(proof.entry), InmemoryTree(algorithm="sha256")
        shape.append_entries(b"" for _ in range(checkpoint.size))
        theirs = shape.prove_inclusion(index + 1, checkpoint.size).serialize()
        told = theirs | {"path": [each.hex() for each in (leaf, *proof.path)]}
        verify_inclusion(leaf, checkpoint.root, InclusionProof.deserialize(told))


def test_a_copy_from_before_keeps_everything(past: Past, tmp_path: Path) -> None:
    log = tmp_path / "log"
    _ordinary(past).mirror(log)
    auditor = _auditor(_serve(past), tmp_path)
    _pruned_to(past, 512)
    assert "begins at" not in auditor.says("audit", "mirror", log)
    found = _verified(auditor, "--offline", log)
    assert (found["begin"], found["hosts"]["old"]["first_sequence"]) == (0, 1)


@pytest.mark.long
def test_a_copy_that_was_overtaken_says_so(past: Past, tmp_path: Path) -> None:
    log = tmp_path / "log"
    past.at(99, past.batches(300)).mirror(log)
    auditor = _auditor(_serve(_ordinary(past)), tmp_path)
    _pruned_to(past, 512)
    error = auditor.complains("audit", "mirror", log, status=1)
    assert "pruned and not here" in error
    assert _verified(auditor, "--offline", log)["begin"] == 0


@pytest.mark.parametrize("told", [False, True])
def test_pruning_that_was_not_announced_or_not_allowed_is_found(past: Past, tmp_path: Path, *, told: bool) -> None:
    past.at(99, past.batches(600)).at(5, keep(30), past.batches(700))
    if told:
        past.at(4, pruned(256))
    past.at(3, past.batches(800)).publish()
    removed(past, 256)
    auditor = _auditor(_serve(past, past.deployment.settings.replace("30d", "31d")), tmp_path)
    assert _findings(_verified(auditor, status=1)) == [("pruned", 700 if told else 256)]
    auditor.says("audit", "mirror", tmp_path / "log")
    assert _findings(_verified(auditor, "--offline", tmp_path / "log", status=1)) == [("pruned", 700 if told else 256)]
    assert past.oldest == 256


class Agent:
    """Sends batches, each until it is acknowledged."""

    def __init__(self, deployment: Deployment, identity: Bundle, host: str) -> None:
        self._deployment, self._identity = deployment, identity
        self._batches = Chain(host).batches(2000)
        self.acknowledged = 0  # batches

    async def push(self) -> None:
        """Until the controller is gone."""
        with suppress(AioRpcError):
            async with self._deployment.channel(self._identity) as channel:
                stream: Any = AgentServiceStub(channel).Push()
                for data in self._batches[self.acknowledged :]:
                    await stream.write(PushRequest(batch=data))
                    if await stream.read() is grpc.aio.EOF:
                        break
                    self.acknowledged += 1


def _long(past: Past, end: int) -> None:
    past.at(99, past.batches(end + 10, events=4)).at(50, keep(30)).at(40, past.batches(end + 20))
    past.at(20, keep(30), past.batches(end + 30))


@pytest.mark.long
async def test_kills_in_the_middle_of_pruning_under_load(past: Past, tmp_path: Path) -> None:
    end = 256 * 24
    await asyncio.to_thread(_long, past, end)
    before, seen = past.database.stat().st_size, []
    await asyncio.to_thread(_serve, past)
    agent = Agent(past.deployment, await past.deployment.enrol("hall"), "hall")
    for _ in range(4):
        pushing, last = asyncio.ensure_future(agent.push()), past.oldest
        while past.oldest == last < end:
            await asyncio.sleep(0.005)
        past.deployment.kill()
        await pushing
        seen.append(past.oldest)
        await asyncio.to_thread(past.deployment.start)
    assert any(0 < each < end for each in seen), "no kill came in the middle"
    assert all(each % 256 == 0 for each in seen)
    pushing = asyncio.ensure_future(agent.push())
    await asyncio.to_thread(_pruned_to, past, end)
    auditor = await asyncio.to_thread(_auditor, past.deployment, tmp_path)
    (tmp_path / "roster").write_text("hall\n")
    found = await asyncio.to_thread(_verified, auditor)
    assert (found["begin"], found["hosts"]["hall"]["first_sequence"]) == (end, 1)
    past.deployment.kill()
    await pushing
    await asyncio.to_thread(past.deployment.start)
    found = await asyncio.to_thread(_verified, auditor)
    assert found["hosts"]["hall"]["batches"] >= agent.acknowledged > 0
    entries = await _all(past.deployment, from_index=end)
    assert [each.subject for each in _actions(entries, ControlAction.KIND_LOG_PRUNED)] == [str(end)]
    await asyncio.to_thread(eventually, lambda: not past.free_pages, "no page is left over", 60)
    assert past.deployment.program
    await asyncio.to_thread(past.deployment.program.stop)
    assert past.database.stat().st_size < before / 2, "the file has given its space back"


async def test_who_reads_leaves_a_trace_and_not_one_for_each_look(served: Deployment) -> None:
    name = served.name("reader")
    identity = await served.identity("auditor", name)

    async def told() -> list[str]:
        reads = _actions(await _all(served, from_index=512), ControlAction.KIND_LOG_READ)
        return [each.fields["from"] for each in reads if each.actor.endswith(f"/{name}")]

    assert await told() == []
    head = len(await _all(served, from_index=512)) + 512
    for _ in range(3):
        await _all(served, identity, from_index=head)
    assert await told() == [str(head)]
    for start in (600, 512, 560, 700):
        await _all(served, identity, from_index=start)
    assert await told() == [str(head), "600"]
    async with served.channel(identity) as channel:
        for _ in range(3):
            await AuditServiceStub(channel).ReadLog(ReadLogRequest(path="tile/entries/002"))
            await AuditServiceStub(channel).ReadLog(ReadLogRequest(path="checkpoint"))
    assert await told() == [str(head), "600"]


async def test_a_live_reader_does_not_wake_itself(served: Deployment) -> None:
    async with served.channel(await served.identity("auditor")) as channel:
        stream: Any = AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True))
        opening = await stream.read()
        entries = await _all(served, from_index=512)
        assert (opening.progress, opening.index) == (True, entries[-1].index)
        assert _actions(entries[-1:], ControlAction.KIND_LOG_READ)
        stream.cancel()
