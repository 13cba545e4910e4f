"""Notices that somebody has altered what this agent loaded, says so as an event, and puts it right.

The words that switch everything are read four times a second, since that costs nothing; pins, links and tags are
compared every second, pins also at once when their directories, the host's interfaces or its cgroups change; the
maps of the policy every few seconds. Only the pins need no waiting: the kernel tells nobody about a link that is
detached, or a map that is written to.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain, groupby

import structlog

from landfast.v1.agent_pb2 import PolicyState
from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import addresses, cgroups
from landfast_agent.backstop import Backstop
from landfast_agent.census import Census
from landfast_agent.difference import Difference
from landfast_agent.enforcer import Enforcer
from landfast_agent.errors import AgentError, Refused
from landfast_agent.guard import Guard
from landfast_agent.held import Held
from landfast_agent.inotify import Inotify
from landfast_agent.instance import Instance
from landfast_agent.link import Link
from landfast_agent.refusals import Notify
from landfast_agent.tagger import Tagged

_GLANCE_S = 0.25
_OFTEN_S, _SELDOM_S = 1.0, 5.0
_SHARE = 200  # a comparison waits this many times as long as it kept a CPU busy
_SETTLE_S = 0.05  # after something was told: a container that starts makes many cgroups and interfaces

_log = structlog.get_logger()


class _Check:
    """One comparison, at its own pace. `stuck` holds what cannot be put right, and why."""

    def __init__(self, compare: Callable[[], Iterable[Difference]], pause_s: float) -> None:
        self._compare, self._pause_s = compare, pause_s
        self.due = 0.0
        self.stuck: dict[str, str] = {}

    def look(self) -> list[Difference]:
        begin = time.thread_time()
        found = [*self._compare()]
        self.due = time.monotonic() + max(self._pause_s, _SHARE * (time.thread_time() - begin))
        return found


class TamperWatch:
    """One instance's, from after it was loaded. `changing` serialises what alters the maps on purpose."""

    def __init__(
        self,
        instance: Instance,
        enforcer: Enforcer,
        link: Link,
        changing: asyncio.Lock,
        *,
        guard: Guard,
        backstop: Backstop,
        notify: Notify,
        report: Callable[[PolicyState], None],
    ) -> None:
        self._enforcer, self._link, self._changing = enforcer, link, changing
        self._notify, self._report = notify, report
        self._held, self._census = Held(instance), Census(enforcer)
        hanging = (self._held, guard, backstop)
        self._pins = _Check(lambda: chain.from_iterable(each.differences() for each in hanging), _OFTEN_S)
        people, contents = _Check(self._census.differences, _OFTEN_S), _Check(self._contents, _SELDOM_S)
        self._checks = (_Check(self._words, 0), self._pins, people, contents)
        self._ended = False

    @property
    def problems(self) -> list[str]:
        """What was altered and could not be put right."""
        return [f"{what}: {why}" for check in self._checks for what, why in check.stuck.items()]

    def remember(self, tagged: Tagged) -> None:
        """These carry tags now, which they must not lose."""
        self._census.remember(tagged.processes)

    def hurry(self) -> None:
        """Something is wrong: everything is compared at the next look. For any thread."""
        for check in self._checks:
            check.due = 0

    def end(self) -> None:
        """Lets go of everything: enforcement hangs by its pins alone, and nothing is put back."""
        self._ended = True
        self._held.close()

    async def run(self) -> None:
        """Until cancelled, or ended."""
        changed = asyncio.Event()
        with ExitStack() as undo:
            drain = self._listen(undo, changed)
            while not self._ended:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_GLANCE_S):
                        await changed.wait()
                if changed.is_set():
                    changed.clear()
                    drain()
                    self._pins.due = 0
                async with self._changing:
                    await asyncio.to_thread(self.look)
                await asyncio.sleep(_SETTLE_S)

    def _listen(self, undo: ExitStack, changed: asyncio.Event) -> Callable[[], None]:
        """Sets `changed` whenever the kernel tells of something. Returns what empties its messages."""
        loop = asyncio.get_running_loop()
        netlink, directories = undo.enter_context(addresses.watcher()), undo.enter_context(Inotify())
        for source in (netlink, directories):
            loop.add_reader(source, changed.set)
            undo.callback(loop.remove_reader, source)

        def drain() -> None:
            addresses.drain(netlink)
            directories.drain()
            directories.watch([*self._held.directories, cgroups.root()])

        drain()
        return drain

    def look(self) -> None:
        """Compares whatever is due, reports and mends."""
        for check in self._checks:
            if not self._ended and time.monotonic() >= check.due:
                self._mend(check, check.look())

    def _words(self) -> Iterator[Difference]:
        control = self._enforcer.maps.control
        for name, wanted in self._enforcer.words().items():
            if control.get(name) != wanted:
                what = f"control word `{name}` was {control.get(name)} instead of {wanted}"
                yield Difference(NoticeKind.NOTICE_KIND_MAPS_ALTERED, what, partial(control.set, name, wanted))

    def _contents(self) -> Iterator[Difference]:
        if self._enforcer.active is None:
            return
        try:
            self._enforcer.verify()
        except Refused as error:
            yield Difference(NoticeKind.NOTICE_KIND_MAPS_ALTERED, str(error), partial(self._write_anew, str(error)))

    def _write_anew(self, why: str) -> None:
        self._report(self._link.altered(why))
        self._report(self._link.applied(self._enforcer.reinstall()))

    def _mend(self, check: _Check, found: list[Difference]) -> None:
        """Says it first. What cannot be put right is said once, and tried again at every look."""
        news = sorted((each for each in found if each.what not in check.stuck), key=lambda each: each.kind)
        for kind, group in groupby(news, key=lambda each: each.kind):
            what = "; ".join(each.what for each in group)
            self._notify(kind, f"altered behind the agent's back: {what}", {"what": what})
        check.stuck = {each.what: why for each in found if (why := _mended(each))}


def _mended(difference: Difference) -> str:
    """Why it could not be put right; empty when it was."""
    try:
        difference.mend()
    except AgentError as error:
        _log.error("cannot be put right", what=difference.what, why=str(error))
        return str(error)
    return ""
