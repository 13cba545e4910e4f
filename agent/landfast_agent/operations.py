"""What can be asked of the daemon by its control socket."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import loader, tasks
from landfast_agent.ask import Answer
from landfast_agent.control import Handler, Operation, Peer
from landfast_agent.enforcer import Enforcer
from landfast_agent.errors import BadInput, Refused, Unavailable
from landfast_agent.instance import Instance
from landfast_agent.recorder import Recorder
from landfast_agent.tagger import Tagged
from landfast_agent.vitals import Vitals

_DELIVERY_S, _FORCED_S = 10.0, 2.0  # for the event that enforcement ends, without and with --force


class Operations:
    """The daemon's answers. `remember` is told who was tagged; `unload` stops what would put enforcement back."""

    def __init__(
        self,
        instance: Instance,
        enforcer: Enforcer,
        recorder: Recorder,
        vitals: Vitals,
        *,
        remember: Callable[[Tagged], None],
        unload: Callable[[], Awaitable[None]],
    ) -> None:
        self._instance, self._enforcer, self._recorder, self._vitals = instance, enforcer, recorder, vitals
        self._remember, self._end = remember, unload

    def by_name(self) -> dict[str, Operation]:
        return {
            "status": Operation(self._status),
            "exec": Operation(self._exec, root_only=False),
            "tag": Operation(self._untagged(self._tag)),
            "unload": Operation(self._untagged(self._unload)),
        }

    def _untagged(self, handler: Handler) -> Handler:
        """Who carries tags may gain more, and change nothing for others."""

        async def checked(request: Answer, peer: Peer) -> Answer:
            if tasks.get(self._enforcer.maps, peer.pid):
                raise Refused(f"process {peer.pid} carries data classes itself: ask from a process that carries none")
            return await handler(request, peer)

        return checked

    async def _status(self, _request: Answer, _peer: Peer) -> Answer:
        return self._vitals.status()

    async def _exec(self, request: Answer, peer: Peer) -> Answer:
        if not loader.is_loaded(self._instance):
            raise Refused("not every hook is attached: see `landfast-agent status`; the command was not started")
        tagged, held = self._enforcer.tag_caller(peer.pid, _strings(request["classes"]), peer.uid)
        self._remember(tagged)
        return {"close": {str(each.fd): str(each) for each in held}}

    async def _tag(self, request: Answer, peer: Peer) -> Answer:
        pid, classes = int(request["pid"]), _strings(request["classes"])
        tagged, ended = await asyncio.to_thread(self._enforcer.tag_tree, pid, classes, peer.uid)
        self._remember(tagged)
        return {
            "processes": [task.tgid for task in tagged.processes],
            "sockets": tagged.sockets,
            "ended": ended,
        }

    async def _unload(self, request: Answer, peer: Peer) -> Answer:
        reason = str(request["reason"])
        fields = {"reason": reason, "uid": str(peer.uid)}
        stored = self._recorder.note(NoticeKind.NOTICE_KIND_UNLOADED, f"enforcement removed: {reason}", fields)
        try:
            await self._delivered(stored, force=bool(request["force"]))
        except Unavailable as error:
            text = f"enforcement goes on: {error}"
            self._recorder.note(NoticeKind.NOTICE_KIND_UNLOAD_REFUSED, text, fields)
            raise
        await self._end()
        return {}

    async def _delivered(self, stored: "Future[int]", *, force: bool) -> None:
        limit_s = _FORCED_S if force else _DELIVERY_S
        try:
            async with asyncio.timeout(limit_s):
                sequence = await asyncio.wrap_future(stored)
                if self._vitals.uplink:
                    await self._vitals.uplink.acknowledged(sequence)
        except (TimeoutError, Unavailable) as error:
            if not force:
                raise Unavailable(
                    f"the event that says so cannot be delivered ({error or f'no answer within {limit_s:g} s'}): see "
                    f"`landfast-agent status`, or use --force"
                ) from error


def _strings(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadInput("classes must be a list of names")
    return value
