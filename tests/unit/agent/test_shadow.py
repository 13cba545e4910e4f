"""A shadow on a host: a real spool, and the real process that judges what is in it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from landfast.policy import canonical
from landfast.policy.source import read
from landfast.policy.succession import succeed
from landfast.shadow import MAX_BYTES
from landfast.v1.batch_pb2 import NoticeKind
from landfast.v1.shadow_pb2 import Shadow, ShadowReport
from landfast.verdict import Reason, Verdict
from landfast_agent.clock import Clock
from landfast_agent.shadow import Shadows
from landfast_agent.spool import Limits, Spool
from landfast_agent.spool_file import Mark
from tests.testbed.event_keys import signer
from tests.unit.recording.builders import batch, record

ALLOW = "    allow: [{{to: {}, ports: [any], reason: a test}}]\n"


def policy(prefix: str) -> bytes:
    text = f"version: 1\ndata_classes:\n  eea-user-data:\n{ALLOW.format(prefix)}"
    return canonical.encode(succeed(read(text).draft, None))


def shadow(content: bytes = policy("10.0.0.0/8"), seconds: float = 60, **fields: bytes) -> Shadow:
    made = Shadow(**({"canonical": content, "digest": canonical.digest(content)} | fields))
    made.until.FromSeconds(int(time.time() + seconds))
    return made


class Host:
    """What a daemon has around its shadow."""

    def __init__(self, directory: Path, history: int) -> None:
        self.spool = Spool(
            directory / "spool.sqlite", "hall-1", partial(signer, "hall-1"), Limits(history=history), standalone=True
        )
        self.told: list[ShadowReport] = []
        self.shadows = Shadows(self.spool, Clock(directory / "clock"), self._note, pause_s=0.1)

    def _note(self, kind: NoticeKind.ValueType, text: str, fields: dict[str, str], report: ShadowReport) -> None:
        assert kind == NoticeKind.NOTICE_KIND_SHADOW
        assert report.digest.hex()[:16] in text
        assert fields["newly_denied"] == str(report.newly_denied)
        self.told.append(report)

    def record(self, *numbers: int) -> None:
        """Connections of curl to 203.0.113.9, which the policy in force allowed."""
        records = [record(verdict=Verdict.ALLOW, reason=Reason.RULE, cookie=number) for number in numbers]
        self.spool.append([batch(records, host="", first_sequence=0)], Mark())

    async def until(self, count: int) -> ShadowReport:
        """The report of that number, from 1."""
        async with asyncio.timeout(30):
            while len(self.told) < count:
                await asyncio.sleep(0.02)
        return self.told[count - 1]


@asynccontextmanager
async def host(directory: Path, history: int = 1 << 20) -> AsyncIterator[Host]:
    made = Host(directory, history)
    running = asyncio.create_task(made.shadows.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.spool.close()
        assert _judges() == []


def _judges() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if any("shadow_judge" in word for word in each.cmdline())]


async def test_a_shadow_tells_what_it_would_deny_of_what_is_recorded_from_now_on(tmp_path: Path) -> None:
    async with host(tmp_path) as made:
        made.record(1, 2, 3)
        made.shadows.want(shadow())
        begun = await made.until(1)
        assert (begun.newly_denied, begun.unchanged, begun.ended, begun.problem) == (0, 0, False, "")
        made.record(*range(23))
        found = await made.until(2)
        assert (found.newly_denied, found.missed) == (23, 0)
        assert (found.flows[0].classes, found.flows[0].comm) == (["eea-user-data"], "curl")
        state = made.shadows.state()
        assert state
        assert (state["newly_denied"], state["digest"]) == (23, shadow().digest.hex())
        made.record(*range(7))
        made.shadows.want(Shadow())
        last = await made.until(3)
        assert (last.newly_denied, last.ended, made.shadows.state()) == (30, True, None)


async def test_another_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    async with host(tmp_path) as made:
        first, other = shadow(), shadow(policy("192.0.2.0/24"))
        made.shadows.want(first)
        await made.until(1)
        made.shadows.want(first)  # what runs already goes on
        made.shadows.want(other)
        last, begun = await made.until(2), await made.until(3)
        assert (last.digest, last.ended, begun.digest, begun.ended) == (first.digest, True, other.digest, False)
        assert made.shadows.running == Shadow(digest=other.digest, until=other.until)


async def test_it_ends_by_itself(tmp_path: Path) -> None:
    async with host(tmp_path) as made:
        made.shadows.want(shadow(seconds=4))
        assert (await made.until(2)).ended
        assert made.shadows.running is None


async def test_events_that_the_spool_has_given_up_are_counted(tmp_path: Path) -> None:
    async with host(tmp_path, history=10_000) as made:
        made.shadows.want(shadow())
        await made.until(1)
        for _ in range(50):  # while it sleeps
            made.record(*range(40))
        found = await made.until(2)
        made.shadows.want(Shadow())
        last = await made.until(len(made.told) + 1) if not made.told[-1].ended else made.told[-1]
        assert found.missed > 0
        assert last.newly_denied + last.missed == 2000


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"content": b"garbage"}, "cannot be read"),
        ({"content": bytes(MAX_BYTES + 1)}, "and a host takes at most 4194304"),
        ({"digest": bytes(1 << 20)}, "not the policy of the digest"),
        ({"seconds": -1}, "may last from now on up to 2592000 s"),
        ({"seconds": 40 * 86400}, "may last from now on up to 2592000 s"),
    ],
    ids=["garbage", "huge", "another", "over", "endless"],
)
async def test_what_is_no_shadow_is_refused_and_the_next_one_runs(
    tmp_path: Path, words: dict[str, Any], problem: str
) -> None:
    wanted = shadow(**words)
    async with host(tmp_path) as made:
        made.shadows.want(wanted)
        refused = await made.until(1)
        assert problem in refused.problem
        digest = canonical.digest(wanted.canonical)
        assert (refused.ended, refused.digest, made.shadows.running) == (True, digest, None)
        if problem == "cannot be read":
            made.shadows.want(shadow())
            assert (await made.until(2)).problem == ""


async def test_it_finds_the_libraries_of_the_daemon_where_the_interpreter_would_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the agent is installed by its package."""
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    async with host(tmp_path) as made:
        made.shadows.want(shadow())
        assert (await made.until(1)).problem == ""


async def test_a_judge_that_is_killed_is_told_and_steps_back_before_others(tmp_path: Path) -> None:
    async with host(tmp_path) as made:
        made.shadows.want(shadow())
        await made.until(1)
        (judge,) = _judges()
        assert judge.nice() == 19
        assert Path(f"/proc/{judge.pid}/oom_score_adj").read_text().strip() == "1000"
        judge.kill()
        assert "the process that judges has ended" in (await made.until(2)).problem
        assert made.shadows.running is None
