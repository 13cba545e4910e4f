"""Control actions: what somebody did to the deployment, as the log keeps it."""

from landfast.v1.audit_pb2 import ControlAction
from landfast_controller.errors import InvalidError

_LONGEST_REASON = 1000


def action(
    kind: ControlAction.Kind.ValueType, actor: object, subject: str, words: str, **fields: object
) -> ControlAction:
    """An action whose time the transaction sets. `words` is one line for people."""
    texts = {name: str(value) for name, value in fields.items()}
    return ControlAction(actor=str(actor), kind=kind, subject=subject, text=words, fields=texts)


def checked_reason(reason: str) -> str:
    """Why something is done. Raises InvalidError unless it is one line that the log can take."""
    if not reason.strip():
        raise InvalidError("reason: it is empty; say in one line why, for those who read the log")
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise InvalidError(f"reason: use one line of at most {_LONGEST_REASON} printable characters")
    return reason
