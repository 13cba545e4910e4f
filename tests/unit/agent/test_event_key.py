"""The key by which a host signs: made once, and never another one in its place."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from landfast import batch as batches
from landfast.event_key import public_of
from landfast.identity import key_pem, new_key
from landfast_agent import event_key
from landfast_agent.errors import Unavailable
from landfast_agent.spool import IN_FLIGHT, Spool
from landfast_agent.spool_file import Mark, history
from tests.unit.recording.builders import batch, record


def _path(directory: Path) -> Path:
    return event_key.path_in(directory)


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = event_key.obtain(_path(tmp_path))
    content = _path(tmp_path).read_bytes()
    assert public_of(event_key.obtain(_path(tmp_path))) == public_of(first)
    assert _path(tmp_path).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["event.key"]
    assert _path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_of_many_that_make_it_at_once_all_get_the_same(tmp_path: Path) -> None:
    command = (
        "import sys; from pathlib import Path; from landfast_agent import event_key; from landfast.event_key import *;"
        "sys.stdin.read(); print(text(public_of(event_key.obtain(Path(sys.argv[1])))))"
    )
    line = [sys.executable, "-c", command, _path(tmp_path)]
    children = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda child: child.communicate()[0], children))
    assert len(set(told)) == 1
    assert len(told[0].strip()) == 44


_DAMAGES = {
    "empty": b"",
    "cut": b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA",
    "rubbish": b"\x00\xff" * 60,
    "of another kind": key_pem(new_key()),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_one_is_refused_and_stays_as_it_is(tmp_path: Path, damage: str) -> None:
    _path(tmp_path).write_bytes(_DAMAGES[damage])
    with pytest.raises(Unavailable, match=r"event key .*event\.key: .* restore the file from a backup"):
        event_key.obtain(_path(tmp_path))
    assert _path(tmp_path).read_bytes() == _DAMAGES[damage]


def _append(spool: Spool, *cookies: int) -> None:
    spool.append([batch([record(cookie=each)], host="", first_sequence=0) for each in cookies], Mark())


def test_while_the_key_of_an_enrolled_host_is_missing_batches_wait_and_are_signed_when_it_is_back(
    tmp_path: Path,
) -> None:
    key = event_key.obtain(_path(tmp_path))
    _path(tmp_path).rename(tmp_path / "away")
    spool = Spool(tmp_path / "spool", "hall-1", partial(event_key.read, _path(tmp_path)))
    _append(spool, *range(IN_FLIGHT * 2))
    assert (spool.pending(), spool.statistics().waiting_events) == ([], IN_FLIGHT * 2)
    assert "event.key: [Errno 2] No such file" in spool.problem
    (tmp_path / "away").rename(_path(tmp_path))
    _append(spool, 1)
    assert spool.problem == ""
    assert all(batches.is_signed_by(public_of(key), sealed.data) for sealed in spool.pending())
    assert len(spool.pending()) == IN_FLIGHT


def test_a_host_without_a_controller_signs_too(tmp_path: Path) -> None:
    """Unless its key is damaged: then it records all the same, and catches up later."""
    _path(tmp_path).write_bytes(b"")
    spool = Spool(tmp_path / "spool", "hall-1", partial(event_key.obtain, _path(tmp_path)), standalone=True)
    _append(spool, 1, 2)
    assert "batches wait, unsigned" in spool.problem
    _path(tmp_path).unlink()
    _append(spool, 3)
    public = public_of(event_key.read(_path(tmp_path)))
    signed = [batches.is_signed_by(public, data) for data in history(tmp_path / "spool")]
    assert signed == [True, True, True]
