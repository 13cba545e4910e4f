"""The backstop in every network namespace that a tagged process lives in, and in our own: at the links that are there,
and at those that come.

A namespace that no tagged process lives in any more is let go, and followed no longer; the backstop stays at its links
for as long as they live, since sockets may outlive who was tagged.
"""

import asyncio
import os
import select
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import structlog

from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import devices, netns, tasks, tcx
from landfast_agent.devices import Devices
from landfast_agent.difference import Difference
from landfast_agent.errors import KernelError
from landfast_agent.instance import Instance
from landfast_agent.maps import Maps

_AGAIN_S = 1.0
_SHARE = 50  # a look at all tagged processes waits this many times as long as it took
_SETTLE_S = 0.02  # after something was told: a container that starts makes several links

_log = structlog.get_logger()


class Backstop:
    """One instance's, from after it was loaded. For any thread, except `hurry` and `run`."""

    def __init__(self, instance: Instance, maps: Maps) -> None:
        self._instance, self._maps = instance, maps
        self._lock = threading.Lock()
        self._places: dict[int, Devices] = {}  # by inode, which is a namespace's own as long as it is held
        self._news = select.epoll()  # readable when a link has changed somewhere
        self._changed = asyncio.Event()
        self._said, self._ended = "", False
        self._program = devices.program_of(instance)
        tcx.renew(instance.pins / "devices", self._program)  # what an earlier agent has left, in whatever namespace

    def cover(self, pids: Iterable[int]) -> None:
        """Returns when the backstop hangs at every link of the namespaces that these processes live in.

        Raises KernelError about one where it cannot, with those of that namespace done.
        """
        with self._lock:
            self._enter(pids)

    def refresh(self) -> None:
        """Looks where tagged processes live now. What goes wrong is logged, and tried again at the next look."""
        with self._lock:
            problem = ""
            try:
                self._leave(self._enter([os.getpid(), *tasks.tags_of_all(self._maps)]))
            except KernelError as error:
                problem = str(error)
            if problem not in ("", self._said):
                _log.error(problem)
            self._said = problem

    def _enter(self, pids: Iterable[int]) -> set[int]:
        """Returns the namespaces of these processes."""
        found = {} if self._ended else netns.of_threads(pids)
        for inode, path in found.items():
            if inode not in self._places:
                with suppress(FileNotFoundError, ProcessLookupError):  # its process has ended
                    self._places[inode] = Devices(self._instance, self._program, path)
                    self._news.register(self._places[inode].netlink, select.EPOLLIN | select.EPOLLET)
        for inode in found.keys() & self._places.keys():
            self._places[inode].listen()
            self._places[inode].follow()
        return set(found)

    def _leave(self, inhabited: set[int]) -> None:
        for inode in self._places.keys() - inhabited:
            self._places.pop(inode).close()
        tcx.forget(self._instance.pins / "devices")

    def differences(self) -> list[Difference]:
        """What somebody has done to it."""
        with self._lock:
            return [each for inode, place in self._places.items() for each in self._altered(inode, place)]

    def _altered(self, inode: int, place: Devices) -> Iterable[Difference]:
        place.listen()
        for each in place.alterations():
            what = f"{devices.title(each.name, inode)} {each.what}"
            yield Difference(NoticeKind.NOTICE_KIND_HOOKS_ALTERED, what, partial(self._mend, inode, each.index))

    def _mend(self, inode: int, index: int) -> None:
        with self._lock:
            if inode in self._places:
                self._places[inode].mend(index)

    def hurry(self) -> None:
        """A tagged process has become another program, or somebody was tagged: maybe in a namespace of its own."""
        self._changed.set()

    def end(self) -> None:
        """Lets go of everything: what is attached hangs by its pins alone, and nothing is put back."""
        with self._lock:
            self._ended = True
            self._leave(set())
            os.close(self._program)

    async def run(self) -> None:
        """Follows tagged processes and links, until cancelled or ended."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._news, self._hear)
        try:
            while not self._ended:
                begin = time.monotonic()
                await asyncio.to_thread(self.refresh)
                took_s = time.monotonic() - begin
                await asyncio.sleep(max(_SETTLE_S, took_s))
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(_AGAIN_S, _SHARE * took_s)):
                        await self._changed.wait()
                self._changed.clear()
        finally:
            loop.remove_reader(self._news)

    def _hear(self) -> None:
        self._news.poll(0)  # until something else is told
        self._changed.set()
