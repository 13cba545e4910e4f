"""What a witness decides: one checkpoint of each log after the other, each durable before it is cosigned."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from landfast.identity import write_private
from landfast.tlog import merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import Cosigner, joined
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.witness import ForkError, NotSignedError, Submission, UnknownLogError
from landfast_cli.errors import CouldNotError


class Witness:
    """Cosigns checkpoints of `logs`. `directory` holds, for each log, the newest one that may have been cosigned."""

    def __init__(self, directory: Path, cosigner: Cosigner, logs: Iterable[VerifierKey]) -> None:
        """Raises CouldNotError when what is there is not what a witness of these logs has written."""
        self.cosigner = cosigner
        self._directory = directory
        self._logs = {log.name: log for log in logs}
        self._known = {log.name: self._read(log) for log in self._logs.values()}
        self._deciding = Lock()

    def known(self, log: VerifierKey) -> Checkpoint:
        """The newest that may have been cosigned; that of the empty tree when there is none."""
        return self._known[log.name]

    def cosign(self, submission: Submission) -> str:
        """The signature line. Raises RefusedError, and CouldNotError when it cannot be remembered."""
        log = self._log(submission.note)
        try:
            new = Checkpoint.open(submission.note, log)
        except TlogError as error:
            raise NotSignedError(str(error)) from None
        with self._deciding:
            try:
                submission.check(self.known(log), new)
            except ForkError:
                self.keep_evidence(log, submission.note)
                raise
            if new != self.known(log):
                self._write(log, "checkpoint", submission.note)
                self._known[log.name] = new
            return self.cosigner.cosign(log.text_of(submission.note), int(time.time()))

    def keep_evidence(self, log: VerifierKey, note: bytes) -> Path:
        """Keeps a checkpoint that contradicts the one that is known. The first one: nobody can fill the disk."""
        path = self._path(log, "fork")
        if not path.exists():
            self._write(log, "fork", note)
        return path

    def _log(self, note: bytes) -> VerifierKey:
        origin = note.partition(b"\n")[0].decode(errors="replace")
        if origin not in self._logs:
            raise UnknownLogError(f"{origin[:80]!r} is none of the logs here: {', '.join(self._logs)}")
        return self._logs[origin]

    def _read(self, log: VerifierKey) -> Checkpoint:
        path = self._path(log, "checkpoint")
        with suppress(FileNotFoundError):
            try:
                return Checkpoint.open(path.read_bytes(), log)
            except TlogError as error:
                raise CouldNotError(
                    f"{path}: {error}; if you cannot find out why, make another witness: this one does not know any "
                    "more what it has cosigned"
                ) from None
        return Checkpoint(log.name, 0, merkle.EMPTY)

    def _write(self, log: VerifierKey, kind: str, note: bytes) -> None:
        path = self._path(log, kind)
        try:
            write_private(path, joined([note], log, []))
        except OSError as error:
            raise CouldNotError(f"{path}: {error.strerror}; nothing was cosigned") from None

    def _path(self, log: VerifierKey, kind: str) -> Path:
        return self._directory / f"{quote(log.name, safe='')}.{kind}"
