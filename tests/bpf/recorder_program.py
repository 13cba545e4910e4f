"""A recorder in a process of its own, for tests that kill it: RING_FD SPOOL BACKLOG_BYTES."""

import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from landfast import batch
from landfast.v1.batch_pb2 import Process
from landfast_agent.drafts import Knowledge
from landfast_agent.recorder import Recorder
from landfast_agent.ring import Ring
from landfast_agent.spool import Limits, Spool
from tests.testbed.event_keys import signer

#: Version and digest of the policy in force.
POLICY = 9, b"\x09" * 32


class Known:
    """Names executions and rules by their numbers: who runs does not matter here."""

    def describe(self, event):
        return Process(tgid=event.tgid, image=event.image, comm=event.comm)

    def explain(self, event, process):
        return None

    def unix_name(self, key):
        return f"/run/{key}.sock"

    def rule_text(self, version, number):
        return f"rule {number} of policy {version}"

    def class_names(self, version):
        return {0: "eea-user-data"}


def recorder(ring, spool, counters=lambda: (0,) * batch.COUNTERS, **options):
    known = Known()
    knowledge = Knowledge(known, known, known, known)
    return Recorder(ring=ring, spool=spool, counters=counters, policy=lambda: POLICY, known=knowledge, **options)


@contextmanager
def recording(ring, path, **options):
    """A recorder in standalone mode that is stopped in any case."""
    made = recorder(ring, Spool(path, "h", partial(signer, "h"), standalone=True), **options)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def main():
    ring_fd, path, backlog = sys.argv[1:]
    spool = Spool(
        Path(path),
        "hall-1",
        partial(signer, "hall-1"),
        Limits(history=1 << 30, backlog=int(backlog)),
        standalone=backlog == "0",
    )
    made = recorder(Ring(int(ring_fd)), spool, on_stored=lambda last: print(last, flush=True))
    made.start()
    sys.stdin.read()
    made.stop()


if __name__ == "__main__":
    main()
