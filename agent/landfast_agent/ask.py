"""Asking the daemon over its control socket, which `control` serves. Imports little: every `exec` waits for it."""

import json
import socket
from contextlib import suppress
from typing import Any

from landfast_agent.errors import AgentError, BadInput, Refused, Unavailable
from landfast_agent.instance import Instance

_ERRORS: dict[int, type[AgentError]] = {1: Refused, 2: BadInput, 3: Unavailable}

Answer = dict[str, Any]


def _connect(instance: Instance, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(instance.control_socket))
    except OSError as error:
        connection.close()
        raise Unavailable(
            f"the agent does not answer at {instance.control_socket} ({error.strerror or error}): "
            f"start it (systemctl start landfast-agent, or `{instance.agent} run`)"
        ) from error
    return connection


def ask(instance: Instance, operation: str, timeout_s: float = 30, **fields: object) -> Answer:
    """Asks the daemon. Raises what the operation raised there, or Unavailable when nobody answers."""
    with _connect(instance, timeout_s) as connection, connection.makefile("rb") as reader:
        try:
            with suppress(BrokenPipeError):  # it has answered without reading, and says why
                connection.sendall(json.dumps({"operation": operation, **fields}).encode() + b"\n")
            line = reader.readline()
        except OSError as error:
            raise Unavailable(f"the agent did not answer within {timeout_s:g} s: see its log") from error
    if not line:
        raise Unavailable("the agent closed the connection: see its log")
    answer: Answer = json.loads(line)
    if "error" in answer:
        raise _ERRORS[answer["status"]](answer["error"])
    return answer
