"""What is wrong on this host, and what `landfast-agent status` is told of the daemon."""

import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import psutil

from landfast_agent.ask import Answer
from landfast_agent.canary import Canary
from landfast_agent.recorder import Recorder
from landfast_agent.spool import Spool

if TYPE_CHECKING:
    from landfast_agent.shadow import Shadows
    from landfast_agent.tamper import TamperWatch
    from landfast_agent.trust import Trust
    from landfast_agent.uplink import Uplink


class Vitals:
    """Asks the parts of a daemon how they are. The public ones are set as soon as there are any."""

    def __init__(self, spool: Spool, recorder: Recorder, canary: Canary, trust: "Trust | None") -> None:
        self._spool, self._recorder, self._canary, self._trust = spool, recorder, canary, trust
        self._started = time.monotonic()
        self.tamper: TamperWatch | None = None
        self.uplink: Uplink | None = None
        self.shadows: Shadows | None = None

    def waiting_events(self) -> int:
        """Events that the controller does not have yet."""
        return self._spool.statistics().waiting_events

    def problems(self) -> list[str]:
        """What is wrong on this host, for people; what concerns the connection itself is not here."""
        found = [*self.tamper.problems] if self.tamper else []
        found += [f"canary: {each}" for each in self._canary.state.problems]
        identity = self.uplink.state().identity.problem if self.uplink else ""
        trust = self._trust.problem if self._trust else ""
        return [*found, *filter(None, [identity, self._recorder.state().problem, self._spool.problem, trust])]

    def status(self) -> Answer:
        """The daemon's part of `landfast-agent status --json`. Ages are in seconds."""
        spool, canary = self._spool.statistics(), self._canary.state
        uplink = self.uplink.state() if self.uplink else None
        problems = self.problems()
        problems += [f"controller: {uplink.problem}", uplink.refused] if uplink and not uplink.connected else []
        return {
            "pid": os.getpid(),
            "uptime_s": time.monotonic() - self._started,
            "resident_bytes": psutil.Process().memory_info().rss,
            "spool": {
                "last_sequence": spool.last_sequence,
                "waiting": spool.waiting_events,
                "bytes": spool.backlog_bytes + spool.history_bytes,
            },
            "recorder": asdict(self._recorder.state()),
            "canary": {
                "passed_seconds_ago": time.monotonic() - canary.passed_at if canary.passed_at else None,
                "refusals": canary.refusals,
                "spared": canary.spared,
            },
            "uplink": asdict(uplink) if uplink else None,
            "trust": self._trust.state() if self._trust else None,
            "shadow": self.shadows.state() if self.shadows else None,
            "problems": [problem for problem in problems if problem],
        }
