"""Names of users, from /etc/passwd alone: a name service on the network must not be able to hold up the recording."""

from contextlib import suppress
from pathlib import Path


class Users:
    """User names by number. The file is read again when it has changed."""

    def __init__(self, path: Path = Path("/etc/passwd")) -> None:
        self._path = path
        self._names: dict[int, str] = {}
        self._changed_ns = 0

    def name(self, uid: int) -> str:
        """The user's name; empty when the file does not have it."""
        with suppress(OSError):
            changed_ns = self._path.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._names, self._changed_ns = _parse(self._path.read_text(errors="replace")), changed_ns
        return self._names.get(uid, "")


def _parse(text: str) -> dict[int, str]:
    """The first name of each number, as getpwuid(3) has it."""
    names: dict[int, str] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isascii() and fields[2].isdigit():
            names.setdefault(int(fields[2]), fields[0])
    return names
