"""Telling the service manager that the server serves: sd_notify(3)."""

import os
import socket


def tell_ready() -> None:
    """Sends READY=1 to the socket that NOTIFY_SOCKET names; does nothing without a service manager."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect("\0" + path[1:] if path.startswith("@") else path)
        manager.send(b"READY=1")
