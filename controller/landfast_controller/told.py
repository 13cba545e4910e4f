"""The newest checkpoint that anybody may have seen, in a file of its own, `log.checkpoint`.

It is written before the database is, and so before anybody can ask for it. A database that was restored from an older
backup does not know of it, and would go on with another log under the same name.
"""

from pathlib import Path

from landfast.identity import write_private
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast_controller.errors import UnavailableError

FILE = "log.checkpoint"


def write(directory: Path, note: bytes) -> None:
    """Raises UnavailableError when it cannot be written."""
    try:
        write_private(directory / FILE, note)
    except OSError as error:
        raise UnavailableError(f"{directory / FILE}: {error.strerror}; make room, or mend the file system") from None


def read(directory: Path, key: VerifierKey) -> Checkpoint | None:
    """None when nothing was told yet. Raises UnavailableError for what `key` has not signed."""
    try:
        return Checkpoint.open((directory / FILE).read_bytes(), key)
    except FileNotFoundError:
        return None
    except (OSError, TlogError) as error:
        raise UnavailableError(f"{directory / FILE}: {error}; {REMEDY}") from None


REMEDY = (
    "nothing is signed that auditors would find contradictory: restore a newer backup, of the whole directory; or, if "
    f"there is none, remove {FILE}: then auditors find the log cut or forked, and need to be told why"
)
