"""Control actions: what somebody did to the deployment, as the log keeps it."""

from landfast.v1.audit_pb2 import ControlAction


def action(
    kind: ControlAction.Kind.ValueType, actor: object, subject: str, words: str, **fields: object
) -> ControlAction:
    """An action whose time the transaction sets. `words` is one line for people."""
    texts = {name: str(value) for name, value in fields.items()}
    return ControlAction(actor=str(actor), kind=kind, subject=subject, text=words, fields=texts)
