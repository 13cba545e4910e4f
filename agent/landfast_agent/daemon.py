"""The daemon: keeps the kernel's policy current and takes its records away. What is enforced does not depend on it."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import (
    addresses,
    cutter,
    enrol,
    event_key,
    image,
    loader,
    lock,
    memory,
    pins,
    slots,
    spool_file,
    watch,
)
from landfast_agent.backstop import Backstop
from landfast_agent.canary import Canary
from landfast_agent.child import in_child
from landfast_agent.clock import Clock
from landfast_agent.config import Config
from landfast_agent.control import ControlServer
from landfast_agent.drafts import Knowledge
from landfast_agent.enforcer import Enforcer
from landfast_agent.errors import AgentError, Refused
from landfast_agent.guard import Guard
from landfast_agent.instance import Instance
from landfast_agent.link import Link
from landfast_agent.listeners import Listeners
from landfast_agent.lockout import Lockout
from landfast_agent.maps import Maps
from landfast_agent.operations import Operations
from landfast_agent.policy_store import PolicyStore
from landfast_agent.processes import Processes
from landfast_agent.recorder import Recorder
from landfast_agent.ring import Ring
from landfast_agent.spool import Limits, Spool
from landfast_agent.tamper import TamperWatch
from landfast_agent.unix_names import UnixNames
from landfast_agent.vitals import Vitals

if TYPE_CHECKING:
    from landfast.policy.model import Policy
    from landfast.v1.agent_pb2 import PolicyState
    from landfast_agent.enrolled import EnrolledHost
    from landfast_agent.shadow import Shadows
    from landfast_agent.trust import Trust

_log = structlog.get_logger()

_TICK_S = 1.0
_MINUTE_S = 60.0


class Daemon:
    """One instance at work. `policy` is the file of standalone mode; an enrolled host asks its controller."""

    def __init__(self, instance: Instance, config: Config, policy: Path | None) -> None:
        self._instance, self._config, self._policy = instance, config, policy
        self._stopping = asyncio.Event()
        self._acts = watch.Acts()
        self._act_now, self._reload_now = asyncio.Event(), asyncio.Event()
        self._changing = asyncio.Lock()  # one change of policy at a time
        self._stale_told = False
        self._enrolment = enrol.read(instance.state)
        _refuse_both(self._enrolment, policy)
        self._lock_fd = lock.hold(instance)
        instance.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = PolicyStore(instance.state / "policies")
        self._clock = Clock(instance.state / "clock")
        self._trust = _trust(instance, self._clock) if self._enrolment else None
        self._wanted = self._read_file(store.newest()) if policy else None  # a bad file loads nothing
        altered = _altered_meanwhile(instance)
        self._load()
        self._maps = Maps(instance)
        self._spool = Spool(
            spool_file.path_in(instance.state),
            self._enrolment.host if self._enrolment else socket.gethostname(),
            partial(event_key.read if self._enrolment else event_key.obtain, event_key.path_in(instance.state)),
            Limits(backlog=config.spool_bytes, history=config.history_bytes),
            standalone=self._enrolment is None,
        )
        self._recorder = Recorder(
            ring=Ring(os.dup(self._maps.fd("events"))),
            spool=self._spool,
            counters=self._maps.counters,
            policy=partial(slots.in_force, self._maps),
            known=Knowledge(
                Processes(self._maps, command_lines=config.command_lines),
                store,
                Listeners(self._maps),
                UnixNames(self._maps),
            ),
            on_stored=self._stored,
            on_records=self._watch,
        )
        self._guard, self._backstop = Guard(self._maps, instance), Backstop(instance, self._maps)
        self._guard.settle()
        self._enforcer = Enforcer(
            self._maps,
            store,
            self._clock,
            Lockout(),
            self._guard,
            self._backstop,
            self._notify,
            self._trust.prove if self._trust else None,
        )
        self._canary = Canary(self._enforcer, self._notify)
        self._vitals = Vitals(self._spool, self._recorder, self._canary, self._trust)
        self._link = Link(instance, self._enforcer, self._vitals)
        self._tamper = TamperWatch(
            instance,
            self._enforcer,
            self._link,
            self._changing,
            guard=self._guard,
            backstop=self._backstop,
            notify=self._notify,
            report=self._report,
        )
        self._vitals.tamper = self._tamper
        if altered:
            text = f"altered while the agent was away, and put right: {altered}"
            self._notify(NoticeKind.NOTICE_KIND_HOOKS_ALTERED, text, {"what": altered})
        self._loop: asyncio.AbstractEventLoop | None = None

    def _load(self) -> None:
        begin = time.monotonic()
        in_child(lambda: loader.load(image.obtain(self._instance.images), self._instance, self._config.ring_bytes))
        _log.info("data plane loaded", seconds=round(time.monotonic() - begin, 3))

    def _notify(self, kind: "NoticeKind.ValueType", text: str, fields: dict[str, str]) -> None:
        _log.info(text)
        self._recorder.note(kind, text, fields)

    # start and stop

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Enforcement goes on afterwards."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload_now.set)
        addresses.synchronise(self._maps)
        self._enforce()
        self._connect()
        self._recorder.start()
        operations = Operations(
            self._instance,
            self._enforcer,
            self._recorder,
            self._vitals,
            unload=self._unload,
            remember=self._tamper.remember,
        )
        server = await ControlServer(self._instance, operations.by_name()).start()
        _ready()
        async with asyncio.TaskGroup() as group:
            works = [self._follow_addresses, self._backstop.run, self._act, self._reload, self._tick, self._tamper.run]
            works += [self._sing]
            works += [self._vitals.uplink.run] if self._vitals.uplink else []
            works += [self._vitals.shadows.run] if self._vitals.shadows else []
            running = [group.create_task(_persist(work)) for work in works]
            await self._stopping.wait()
            self._canary.end()
            for task in running:
                task.cancel()
        server.close()
        await asyncio.to_thread(self._recorder.stop)
        self._spool.close()
        _log.info("stopped; enforcement goes on")

    def _enforce(self) -> None:
        """The last good policy first, then what the file says."""
        self._enforcer.restore(stale=self._is_stale())
        if self._wanted is not None:
            self._enforcer.apply(self._wanted)

    def _connect(self) -> None:
        """gRPC is imported only where it is used: it takes memory."""
        if self._enrolment is not None:
            from landfast_agent.shadow import Shadows
            from landfast_agent.uplink import Uplink

            identity = enrol.identity_file(self._instance.state)
            shadows = self._vitals.shadows = Shadows(self._spool, self._clock, self._recorder.note)
            self._vitals.uplink = Uplink(self._enrolment.controller, identity, self._spool, self._host(shadows))
        elif self._enforcer.active is None:
            _log.warning("no policy: enrol this host (landfast-agent enroll), or give a file to run --policy")

    def _host(self, shadows: "Shadows") -> "EnrolledHost":
        from landfast_agent.enrolled import EnrolledHost

        assert self._trust is not None
        return EnrolledHost(
            self._link, self._enforcer, self._trust, shadows, changing=self._changing, notify=self._notify
        )

    def _stored(self, last: int) -> None:
        """In the recorder's thread."""
        if self._vitals.uplink:
            with suppress(RuntimeError):  # the loop is closed: the last rounds of a stop
                self._vitals.uplink.stored(last)

    def _read_file(self, newest: "Policy | None") -> bytes:
        """Canonical form of the policy file, as the version after the newest."""
        from landfast_agent import standalone  # YAML takes memory that an enrolled host need not pay

        assert self._policy is not None
        data, warnings = standalone.read(self._policy, newest)
        for warning in warnings:
            _log.warning(warning)
        return data

    async def _reload(self) -> None:
        """SIGHUP: reads the policy file again. A bad one changes nothing."""
        while True:
            await self._reload_now.wait()
            self._reload_now.clear()
            if self._policy is None:
                continue
            async with self._changing:
                data = await asyncio.to_thread(self._read_file, self._enforcer.store.newest())
                await asyncio.to_thread(self._enforcer.apply, data)

    # work

    def _watch(self, records: bytes) -> None:
        """In the recorder's thread."""
        self._canary.saw(records)
        acts = watch.pick(records)
        if acts and self._loop:
            with suppress(RuntimeError):  # the loop is closed: the last rounds of a stop
                self._loop.call_soon_threadsafe(self._remember, acts)

    def _remember(self, acts: watch.Acts) -> None:
        self._acts.add(acts)
        self._act_now.set()

    async def _act(self) -> None:
        """Aborts refused connections, and tags the sockets of processes that the kernel has adopted."""
        while True:
            await self._act_now.wait()
            self._act_now.clear()
            acts, self._acts = self._acts, watch.Acts()
            if acts.moved:
                self._backstop.hurry()
            if acts.adopted:
                await asyncio.to_thread(self._enforcer.adopted, acts.adopted)
            if acts.refused:
                await self._cut(acts)

    async def _cut(self, acts: watch.Acts) -> None:
        done = await asyncio.to_thread(cutter.cut, acts.refused, acts.senders)
        if done:
            cookies = ",".join(str(cookie) for cookie in sorted(done))
            text = f"{len(done)} refused TCP connections aborted"
            self._notify(NoticeKind.NOTICE_KIND_CONNECTION_CUT, text, {"cookies": cookies})

    async def _follow_addresses(self) -> None:
        with addresses.watcher() as netlink:
            changed = asyncio.Event()
            asyncio.get_running_loop().add_reader(netlink, changed.set)
            while True:
                await changed.wait()
                addresses.drain(netlink)
                changed.clear()
                addresses.synchronise(self._maps)

    async def _tick(self) -> None:
        minute_at = time.monotonic() + _TICK_S
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            await self._age()
            if self._clock.has_stepped() and self._enforcer.active:
                self._notify(NoticeKind.NOTICE_KIND_CLOCK_STEPPED, "the clock was set: expiries are computed anew", {})
                async with self._changing:
                    await asyncio.to_thread(self._enforcer.reinstall)
            if now >= minute_at:
                minute_at = now + _MINUTE_S
                self._enforcer.refusals.settle()
                self._clock.keep()
                self._enforcer.tagger.sweep()
                await asyncio.to_thread(self._guard.settle)
                memory.give_back()

    def _is_stale(self) -> bool:
        return self._trust is not None and self._trust.is_stale()

    async def _age(self) -> None:
        """Says once that the policy is stale, and lets the classes feel it that ask for it."""
        stale = self._is_stale()
        if self._trust and stale and not self._stale_told:
            fields = {"expired": str(self._trust.expires)}
            self._notify(NoticeKind.NOTICE_KIND_STALE_POLICY, self._trust.problem, fields)
        self._stale_told = stale
        if self._enforcer.active and self._enforcer.active.stale != stale:
            async with self._changing:
                await asyncio.to_thread(self._enforcer.age, stale=stale)

    async def _sing(self) -> None:
        """Sends the canary in now and then, and soon again when it fails in a new way or could not conclude."""
        while True:
            await asyncio.sleep(_TICK_S)
            known = self._canary.state.problems
            concluded = await asyncio.to_thread(self._canary.round)
            if self._canary.state.problems not in ([], known):
                self._tamper.hurry()
            elif concluded:
                await asyncio.sleep(self._config.canary_seconds - _TICK_S)

    def _report(self, state: "PolicyState") -> None:
        """From any thread."""
        if self._vitals.uplink and self._loop:
            self._loop.call_soon_threadsafe(self._vitals.uplink.report, state)

    async def _unload(self) -> None:
        """Nothing that is removed from now on is put back, or missed."""
        self._canary.end()
        async with self._changing:
            self._tamper.end()
            self._backstop.end()
        asyncio.get_running_loop().call_later(0.1, self._stopping.set)


def _trust(instance: Instance, clock: Clock) -> "Trust":
    """The Update Framework is imported only where it is used: it takes memory."""
    from landfast_agent.trust import Trust

    trust = Trust(enrol.trust_directory(instance.state), clock)
    trust.sweep()
    return trust


def _refuse_both(enrolment: "enrol.Enrolment | None", policy: Path | None) -> None:
    if enrolment is not None and policy is not None:
        raise Refused(
            f"this host is enrolled at {enrolment.controller}: its policy comes from there; leave out --policy {policy}"
        )


def _altered_meanwhile(instance: Instance) -> str:
    """What somebody has done to hooks and programs since the agent before us has loaded them; empty when nothing."""
    moved = pins.moved(instance)
    if moved:
        pins.bring_back(moved, instance)
        return f"pins were moved to {moved}"
    loaded = image.cached(instance.images, loader.loaded_key(instance))
    return "; ".join(loader.alterations(loaded, instance)) if loaded else ""


async def _persist(work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work`, which never returns, again after every failure: none of them may end the daemon."""
    while True:
        try:
            await work()
        except AgentError as error:
            _log.error(str(error))
        except Exception:
            _log.exception("unexpected failure; enforcement goes on", work=work.__qualname__)
        await asyncio.sleep(_TICK_S)


def _ready() -> None:
    """Tells the service manager, if there is one: sd_notify(3)."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(address)
        notify.send(b"READY=1")
