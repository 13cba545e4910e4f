"""Frames on a packet socket that somebody else has made."""

import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.testbed import ENCLAVE, OUTSIDE, Namespace

PYTHON = ["/usr/bin/python3", "-IS", "-c"]
PORT = 5432
#: Takes a socket from the unix socket at descriptor 0, and tells how each sending of what comes there went.
_FRAME_SENDER = """
import errno, socket
helper = socket.socket(fileno=0)
_, (passed,), _, _ = socket.recv_fds(helper, 1, 1)
packet = socket.socket(fileno=passed)
helper.send(b"ready")
while True:
    frame = helper.recv(2000)
    if not frame:
        break
    try:
        packet.send(frame)
        helper.send(b"sent")
    except OSError as error:
        helper.send(errno.errorcode[error.errno].encode())
"""


def frame(text: bytes) -> bytes:
    """A UDP datagram for the place outside in an Ethernet frame for everybody."""
    udp = struct.pack("!HHHH", 4000, PORT, 8 + len(text), 0) + text
    addresses = ENCLAVE.ip4.packed + OUTSIDE.ip4.packed
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    total = sum(struct.unpack("!10H", header))
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return b"\xff" * 6 + bytes(6) + b"\x08\x00" + header[:10] + struct.pack("!H", checksum) + header[12:] + udp


@contextmanager
def frame_sender(
    where: Namespace, packet: socket.socket, tagged: Callable[..., list[str]] | None = None
) -> Iterator[Callable[[bytes], str]]:
    """A program that is given a packet socket, made by `tagged`. Sends a frame on it, and tells how that went."""
    argv = [*PYTHON, _FRAME_SENDER]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send(frame: bytes) -> str:
        ours.send(frame)
        return ours.recv(100).decode()

    command = where.command(tagged(*argv) if tagged else argv)
    with ours, theirs, subprocess.Popen(command, stdin=theirs) as process:
        try:
            ours.settimeout(20)
            socket.send_fds(ours, [b"!"], [packet.fileno()])
            assert ours.recv(100) == b"ready"
            yield send
        finally:
            ours.shutdown(socket.SHUT_WR)
            process.wait(20)
