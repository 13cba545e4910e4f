"""What one host sees, whatever others are told in between: never an older announcement."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Snapshot, Timestamp

from landfast_controller import announcements
from landfast_controller.announcements import Announcements

_KEY = CryptoSigner.generate_ed25519()


def _read(files: dict[str, bytes]) -> tuple[int, int]:
    """The version of the announcement, and the policy version that it is about."""
    timestamp: Metadata[Timestamp] = Metadata.from_bytes(files["timestamp.json"])
    number = timestamp.signed.version
    snapshot: Metadata[Snapshot] = Metadata.from_bytes(files[f"{number}.snapshot.json"])
    return number, snapshot.signed.meta["targets.json"].version


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=40))
def test_each_host_sees_announcements_that_only_get_newer(moves: list[tuple[int, int, bool]]) -> None:
    """Hosts ask in any order, sometimes go up by some versions, and sometimes a minute passes."""
    made, clock = Announcements(_KEY, 0), [0.0]
    told = dict.fromkeys(range(4), (0, 1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(announcements, "monotonic", _reading(clock))
        for host, up, later in moves:
            clock[0] += 61 if later else 1
            before, wanted = told[host][0], told[host][1] + up
            number, about = _read(made.of(wanted))
            assert about == wanted
            assert number > before or (number == before and not up)
            told[host] = number, wanted


def _reading(clock: list[float]) -> Callable[[], float]:
    return lambda: clock[0]


def test_a_restart_goes_on_above_what_was_said() -> None:
    stamp = 2**52
    assert _read(Announcements(_KEY, stamp).of(7)) == (stamp + 1, 7)


def test_hosts_of_one_version_share_a_signature() -> None:
    made = Announcements(_KEY, 0)
    assert made.of(7) is made.of(7)
    lower = made.of(6)
    assert _read(made.of(7))[0] > _read(lower)[0]
    assert made.of(6) is lower
