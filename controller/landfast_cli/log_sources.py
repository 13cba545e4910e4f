"""Where a log is read from: the controller, or a directory of tiles. Both give what is at a path, or a TlogError."""

from pathlib import Path

import grpc

from landfast.tlog import tiles
from landfast.tlog.errors import PrunedError, TlogError
from landfast.tlog.tree import Read
from landfast.v1.audit_pb2 import ReadLogRequest
from landfast_cli.errors import BadInputError, CouldNotError
from landfast_cli.session import PROPOSAL_TIMEOUT_S, Session

#: Seconds for one part of the log: a bundle may have 15 MB.
_TIMEOUT_S = PROPOSAL_TIMEOUT_S


def controller(session: Session) -> Read:
    def read(path: str) -> bytes:
        try:
            return session.audit.ReadLog(ReadLogRequest(path=path), timeout=_TIMEOUT_S).content
        except grpc.RpcError as failure:
            if failure.code() == grpc.StatusCode.OUT_OF_RANGE:
                raise PrunedError(failure.details()) from None
            if failure.code() != grpc.StatusCode.NOT_FOUND:
                raise
            raise TlogError(f"{path} is missing: {failure.details()}") from None

    return read


def directory(root: Path) -> Read:
    """Raises BadInputError when `root` holds no log at all."""
    if not (root / tiles.CHECKPOINT).is_file():
        raise BadInputError(f"{root} holds no log: it has no file `checkpoint`; make one with `landfast audit mirror`")
    return lambda path: stored(root / path)


def given(path: Path) -> bytes:
    """A file that somebody names. Raises CouldNotError when it cannot be read."""
    try:
        return stored(path)
    except TlogError as error:
        raise CouldNotError(f"{error}; name a file that there is") from None


def stored(path: Path) -> bytes:
    """A part of a log: its absence says something about the log."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise TlogError(f"{path} is missing") from None
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}") from None
