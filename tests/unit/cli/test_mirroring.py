"""Copies of a log: at every edge of its tiles, interrupted anywhere, and of logs that are not what they were."""

from contextlib import suppress
from pathlib import Path

import pytest

from landfast.tlog.errors import TlogError
from landfast.tlog.tree import Read
from landfast_cli.mirroring import Mirror
from tests.unit.tlog import naive
from tests.unit.tlog.naive import SIGNER

_ENTRIES = [b"entry %d" % number for number in range(600)]
_OTHERS = [*_ENTRIES[:100], b"another", *_ENTRIES[101:]]


class _BrokenError(Exception):
    """The connection ended."""


def _update(directory: Path, read: Read) -> int:
    return Mirror(directory, SIGNER.verifier).update(read, lambda done, total: None).size


def _content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _breaking(files: dict[str, bytes], after: int) -> Read:
    """A connection that ends after so many parts."""
    left = iter(range(after))

    def read(path: str) -> bytes:
        if next(left, None) is None:
            raise _BrokenError
        return naive.reader(files)(path)

    return read


def test_a_copy_that_grows_is_the_log_itself_at_every_size(tmp_path: Path) -> None:
    for size in (0, 1, 3, 255, 256, 257, 511, 512, 513, 600, 600):
        files = naive.published(_ENTRIES[:size])
        assert _update(tmp_path, naive.reader(files)) == size
        assert _content(tmp_path) == files


def test_an_interrupted_copy_goes_on(tmp_path: Path) -> None:
    files, kept = naive.published(_ENTRIES), naive.published(_ENTRIES[:257])
    _update(tmp_path, naive.reader(kept))
    asked: list[str] = []
    for parts in range(20):
        read, asked = naive.recording(_breaking(files, parts))
        with suppress(_BrokenError):
            _update(tmp_path, read)
            break
        assert _content(tmp_path)["checkpoint"] == kept["checkpoint"]
    assert _content(tmp_path) == files
    assert "tile/entries/002.p/88" in asked
    assert "tile/entries/001" not in asked, "what was there is not fetched again"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (naive.published(_ENTRIES[:299]), "it was cut"),
        (naive.published(_OTHERS), "from entry 100 on: a fork"),
        (naive.published([*_OTHERS, b"more"]), "from entry 100 on: a fork"),
        (naive.published([*_ENTRIES[:299], b"other", *_ENTRIES[300:]]), "from entry 299 on: a fork"),
        (naive.published(_ENTRIES) | {"tile/entries/002.p/88": b""}, "not one of 88 entries"),
        (
            naive.published(_ENTRIES) | {"tile/entries/001": naive.published(_OTHERS[44:])["tile/entries/001"]},
            "entry 256",
        ),
        ({}, "missing"),
    ],
)
def test_what_is_not_the_log_that_is_here_changes_nothing(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    before = naive.published(_ENTRIES[:300])
    _update(tmp_path, naive.reader(before))
    with pytest.raises(TlogError, match=why):
        _update(tmp_path, naive.reader(files))
    assert _content(tmp_path) | before == _content(tmp_path)


def _pruned(files: dict[str, bytes], begin: int) -> dict[str, bytes]:
    gone = {f"tile/entries/{index:03}" for index in range(begin // 256)}
    return {path: files[path] for path in set(files) - gone} | {"minimum-index": b"%d\n" % begin}


def test_a_new_copy_begins_at_the_oldest_entry_and_keeps_what_goes_later(tmp_path: Path) -> None:
    _update(tmp_path, naive.reader(_pruned(naive.published(_ENTRIES[:520]), 256)))
    assert _content(tmp_path) == _pruned(naive.published(_ENTRIES[:520]), 256)
    _update(tmp_path, naive.reader(_pruned(naive.published(_ENTRIES), 512)))
    assert _content(tmp_path) == _pruned(naive.published(_ENTRIES), 256)


def test_a_whole_copy_stays_whole(tmp_path: Path) -> None:
    _update(tmp_path, naive.reader(naive.published(_ENTRIES[:512])))
    _update(tmp_path, naive.reader(_pruned(naive.published(_ENTRIES), 512)))
    assert _content(tmp_path) == naive.published(_ENTRIES)


def test_a_copy_that_would_get_a_gap_says_so_and_stays_as_it_is(tmp_path: Path) -> None:
    before = naive.published(_ENTRIES[:300])
    _update(tmp_path, naive.reader(before))
    with pytest.raises(TlogError, match="entries 300 to 511 are pruned and not here"):
        _update(tmp_path, naive.reader(_pruned(naive.published(_ENTRIES), 512)))
    assert _content(tmp_path) == before


def test_a_copy_of_another_log_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"not a checkpoint\n")
    with pytest.raises(TlogError):
        _update(tmp_path, naive.reader(naive.published(_ENTRIES)))
    assert _content(tmp_path) == {"checkpoint": b"not a checkpoint\n"}
