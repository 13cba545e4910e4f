"""The key of the log: the one that is believed lies beside the configuration, or is given."""

from pathlib import Path

from landfast.identity import write_private
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.v1.audit_pb2 import GetLogKeyRequest
from landfast_cli.errors import AnswerIsNoError, BadInputError
from landfast_cli.session import TIMEOUT_S, Session

_REMEDY = "name the file with --key (log.pub of the controller), or log in again"


def path_beside(config: Path) -> Path:
    return config.with_name(f"{config.name}.log.pub")


def told(session: Session) -> VerifierKey:
    """What the controller says that its log's key is."""
    try:
        return VerifierKey.parse(session.audit.GetLogKey(GetLogKeyRequest(), timeout=TIMEOUT_S).verifier_key)
    except TlogError as error:
        raise AnswerIsNoError(f"the controller's log key: {error}") from None


def remember(config: Path, key: VerifierKey) -> None:
    write_private(path_beside(config), f"{key}\n".encode())


def read(given: Path | None, config: Path) -> VerifierKey:
    """The key in the file `given`, else the one that the controller told at the login."""
    path = given or path_beside(config)
    try:
        return VerifierKey.parse(path.read_text())
    except OSError as error:
        raise BadInputError(f"log key {path}: {error.strerror}; {_REMEDY}") from None
    except (UnicodeDecodeError, TlogError) as error:
        raise BadInputError(f"log key {path}: {error}; {_REMEDY}") from None
