"""The contents of the log, in files of 256 entries: each is a bundle as https://c2sp.org/tlog-tiles lays it out and
serves it, but for the last one, which grows.

What is written is never changed, and durable before the database tells of it. Bytes behind what it tells of are left
over from something that was not committed, and are overwritten.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from landfast.tlog import bundle
from landfast.tlog.errors import TlogError
from landfast.tlog.tiles import ENTRIES, WIDTH, Tile

_REMEDY = "restore database and entries from one backup"


class EntriesError(SQLAlchemyError):
    """A file cannot be read or written: which, and why. To be handled as what the database raises."""


class MissingError(EntriesError):
    """A file is not there: which. Where it is read, it may have been pruned meanwhile."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is missing; {_REMEDY}")


@dataclass(frozen=True)
class Place:
    """Where an encoded entry is in its bundle's file, behind its length: both in bytes."""

    index: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the length of the next entry begins."""
        return 0 if (self.index + 1) % WIDTH == 0 else self.offset + self.size


def places(index: int, end: int, sizes: Iterable[int]) -> Iterator[Place]:
    """Where entries of these sizes go, from `index` on, when the one before ends at `end` in its file."""
    for number, size in enumerate(sizes, index):
        place = Place(number, end + bundle.LENGTH_SIZE, size)
        yield place
        end = place.end


class Entries:
    """Files below a directory, which is made when there is something to be kept in it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def append(self, index: int, end: int, entries: Sequence[bytes]) -> None:
        """Writes encoded `entries` from `index` on, at `end` of the file that has the one before. Durable on return."""
        for number, group in groupby(enumerate(entries, index), key=lambda numbered: numbered[0] // WIDTH):
            members = [entry for _, entry in group]
            self._write(number, end if number == index // WIDTH else 0, bundle.encode(members))

    def read(self, places: Sequence[Place]) -> list[bytes]:
        """Encoded entries. Raises MissingError, or EntriesError for what cannot be read."""
        found = []
        for number, group in groupby(places, key=lambda place: place.index // WIDTH):
            with self._opened(number, os.O_RDONLY) as file:
                found += [self._part(number, file, place.offset, place.size) for place in group]
        return found

    def bundle(self, number: int, end: int) -> bytes:
        """The bundle as it is served, up to `end` in its file. Raises as `read` does."""
        with self._opened(number, os.O_RDONLY) as file:
            return self._part(number, file, 0, end)

    def remove_before(self, index: int) -> None:
        """Removes the bundles before that of the entry `index`."""
        for number in sorted(each for each in self._numbers() if each < index // WIDTH):
            path = self._path(number)
            with self._told(path):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                path.parent.rmdir()

    def check(self, oldest: int, newest: Place) -> None:
        """Raises EntriesError unless there are files from the entry `oldest` to `newest`."""
        present = set(self._numbers())
        for number in range(oldest // WIDTH, newest.index // WIDTH + 1):
            if number not in present:
                raise MissingError(self._path(number))
        path = self._path(newest.index // WIDTH)
        with self._told(path):
            size = path.stat().st_size
        if size < newest.offset + newest.size:
            raise EntriesError(f"{path} ends before entry {newest.index} does; {_REMEDY}")

    def _numbers(self) -> Iterator[int]:
        """Of the bundles that are there."""
        with self._told(self._directory):
            found = [*self._directory.rglob("*")]
        for path in found:
            with suppress(TlogError):
                yield Tile.parse(str(path.relative_to(self._directory))).index

    def _path(self, number: int) -> Path:
        return self._directory / Tile(ENTRIES, number).path

    def _write(self, number: int, offset: int, data: bytes) -> None:
        """A file is made for its first entry alone: where others are lost, nothing is added behind a hole."""
        path = self._path(number)
        with self._told(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened(number, os.O_WRONLY | (0 if offset else os.O_CREAT)) as file:
                if os.fstat(file).st_size < offset:
                    raise EntriesError(f"{path} ends before byte {offset}; {_REMEDY}")
                _write_all(file, data, offset)
                os.ftruncate(file, offset + len(data))
                os.fdatasync(file)
            for each in () if offset else self._above(path):
                _sync(each)

    def _above(self, path: Path) -> Iterator[Path]:
        """The directories that may be new, and that which holds ours."""
        for each in path.parents:
            yield each
            if each == self._directory.parent:
                return

    def _part(self, number: int, file: int, offset: int, size: int) -> bytes:
        path = self._path(number)
        with self._told(path):
            data = os.pread(file, size, offset)
        if len(data) != size:
            raise EntriesError(f"{path} ends before byte {offset + size}; {_REMEDY}")
        return data

    @contextmanager
    def _opened(self, number: int, flags: int) -> Iterator[int]:
        with self._told(self._path(number)):
            file = os.open(self._path(number), flags | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    @contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise MissingError(path) from None
        except OSError as error:
            raise EntriesError(f"{path}: {error.strerror}; make room, or mend the file system") from None


def _write_all(file: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def _sync(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
