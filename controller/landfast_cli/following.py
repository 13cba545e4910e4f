"""The stream of events, followed through broken connections: nothing left out, nothing twice."""

import threading
from collections.abc import Callable, Iterator

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from landfast.tlog import minimum
from landfast.v1.audit_pb2 import SubscribeRequest, SubscribeResponse
from landfast_cli import log_sources
from landfast_cli.refusals import is_passing
from landfast_cli.session import Session

#: Seconds between attempts.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class Follower:
    """Reads the log entry by entry. `next` is the index to continue at; None until the controller has told one.

    With `rest`, what is pruned of what was asked for is told, and the rest is read; else it is an error.
    """

    def __init__(
        self, session: Session, request: SubscribeRequest, say: Callable[[str], None], *, rest: bool = False
    ) -> None:
        self.next: int | None = None
        self._rest = rest
        self._session = session
        self._wanted = request
        self._say = say
        self._told = -1  # where the last lost connection was told
        self._stopped = threading.Event()
        self._call: grpc.Call | None = None

    def stop(self) -> None:
        """Ends `entries` after the entry that is being read now. For signal handlers."""
        self._stopped.set()
        if self._call:
            self._call.cancel()

    def entries(self) -> Iterator[SubscribeResponse]:
        """Entries until there are no more (or for ever); an entry counts as read once the next one is asked for."""
        pause = _FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                for response in self._subscribe():
                    pause = _FIRST_PAUSE_S
                    if not response.progress:
                        yield response
                    self.next = response.index + 1
                return
            except grpc.RpcError as failure:
                if self._skipped(failure):
                    continue
                self._pass_over(failure)
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _subscribe(self) -> Iterator[SubscribeResponse]:
        request = SubscribeRequest()
        request.CopyFrom(self._wanted)
        if self.next is not None:
            request.from_index = self.next
        call = self._session.audit.Subscribe(request)
        self._call = call
        return call

    def _skipped(self, failure: grpc.RpcError) -> bool:
        """Goes to the oldest entry, once, when what was asked for is pruned and the rest is wanted."""
        if not self._rest or self.next is not None or failure.code() != grpc.StatusCode.OUT_OF_RANGE:
            return False
        oldest = minimum.read(log_sources.controller(self._session))
        if self._wanted.from_index >= oldest:
            return False
        self._say(f"{failure.details()}; reading it from there")
        self.next = oldest
        return True

    def _pass_over(self, failure: grpc.RpcError) -> None:
        """A connection that broke is made anew; one that never was is an error, and so is every refusal."""
        if self._stopped.is_set():
            return
        if self.next is None or not is_passing(failure):
            raise failure
        if self._told != self.next:
            self._say(f"connection to {self._session.login.controller} lost; trying again, from index {self.next}")
        self._told = self.next


def request(start: str | None, follow: bool, now: float) -> SubscribeRequest:
    """`start` is an index, a time (RFC 3339) or a duration before now; without it from now on, or all there is."""
    made = SubscribeRequest(follow=follow)
    if start is None and not follow:
        start = "0"
    if start is not None and start.isdecimal() and start.isascii():
        made.from_index = int(start)
    elif start is not None:
        from landfast_cli.times import moment

        made.from_time.CopyFrom(Timestamp(seconds=moment(start, now, -1)))
    return made
