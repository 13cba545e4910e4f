"""A ring that nobody reads: verdicts stay, and what does not fit is counted to the last record."""

from collections.abc import Iterator

import pytest

from landfast.event import Event
from landfast.verdict import Stage, Verdict
from tests.testbed import Namespace
from tests.testbed.names import owned
from tests.testbed.plane import Plane

DECIDED, DENY, SUBMITTED, LOST = 0, 2, 5, 6  # enum lf_counter
ATTEMPTS = 10_007
RING = 1 << 16
RECORD = 8 + 128  # bytes in the ring: header and record
POLICY = """
version: 1
data_classes:
  eu:
    allow: [{to: 10.20.0.0/16, ports: [tcp/443], reason: data centre}]
"""
CONNECTS = f"""
import errno, socket
refused = 0
for _ in range({ATTEMPTS}):
    with socket.socket() as sock:
        refused += sock.connect_ex(("203.0.113.10", 443)) == errno.EPERM
print(refused)
"""


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    with Plane(owned("t"), ring_bytes=RING) as made:
        made.apply(POLICY)
        yield made


def test_every_decision_is_in_the_ring_or_counted_as_lost(plane: Plane) -> None:
    with Namespace(owned("lft")) as nowhere:
        assert plane.run(nowhere, ["/usr/bin/python3", "-IS", "-c", CONNECTS], ["eu"]) == f"{ATTEMPTS}\n"

    counters = plane.maps.counters()
    rows = {stage: counters[stage * 8 : stage * 8 + 8] for stage in Stage}
    assert all(row[DECIDED] == row[SUBMITTED] + row[LOST] for row in rows.values())
    assert rows[Stage.CONNECT][DECIDED] == rows[Stage.CONNECT][DENY] == ATTEMPTS
    assert rows[Stage.CONNECT][LOST] > ATTEMPTS - RING // RECORD

    records = plane.events()
    assert len(records) == sum(row[SUBMITTED] for row in rows.values()) == RING // RECORD
    assert sum(_is_denied_connect(record) for record in records) == rows[Stage.CONNECT][SUBMITTED]
    assert [record.time_ns for record in records] == sorted(record.time_ns for record in records)


def _is_denied_connect(record: Event) -> bool:
    return (record.stage, record.verdict, str(record.remote)) == (Stage.CONNECT, Verdict.DENY, "203.0.113.10")


def test_a_ring_that_was_full_takes_records_again(plane: Plane) -> None:
    plane.events()
    lost = plane.count(Stage.CONNECT, LOST)
    with Namespace(owned("lft")) as nowhere:
        plane.run(nowhere, ["/usr/bin/python3", "-IS", "-c", CONNECTS.replace(str(ATTEMPTS), "23")], ["eu"])
    assert sum(_is_denied_connect(record) for record in plane.events()) == 23
    assert plane.count(Stage.CONNECT, LOST) == lost
