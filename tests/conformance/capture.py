"""Everything that arrives at the far side of the wire, kept as raw bytes."""

import socket
import struct
import threading
import time

from tests.conformance.inside import Inside
from tests.conformance.judge import Ruling, Sight, is_stray, read, rule

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_OUTGOING = 263, 6, 4  # linux/if_packet.h
_SO_RCVBUFFORCE = 33
_BUFFER = 64 << 20
_SNAP = 1 << 17  # a frame that is segmented later has up to 64 KiB


class Capture:
    """Reads frames from entering the context to leaving it. Raises RuntimeError when the kernel had to drop any."""

    def __init__(self, inside: Inside, interface: str, approved: frozenset[str]) -> None:
        self._socket = inside.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.settimeout(0.05)
        self._approved = approved
        self._sights: list[Sight] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)

    def of(self, mark: bytes, port: int | None) -> tuple[list[Sight], list[Sight]]:
        """The frames of one technique: forbidden ones, and those that are listed apart."""
        self._check_complete()
        ruled = [(sight, rule(sight, mark, port, self._approved)) for sight in list(self._sights)]
        forbidden, apart = ([sight for sight, ruling in ruled if ruling is wanted] for wanted in _KEPT)
        return forbidden, apart

    def strays(self, ports: set[int], mark: bytes) -> list[Sight]:
        """Frames that would be forbidden, but carry none of the ports, nor what all marks have in common."""
        unowned = [sight for sight in list(self._sights) if mark not in sight.frame and not ports & set(sight.ports)]
        return [sight for sight in unowned if is_stray(sight, self._approved)]

    def settle(self, seconds: float) -> None:
        """Waits until no frame has come for so long."""
        seen = -1
        while seen != len(self._sights):
            seen = len(self._sights)
            time.sleep(seconds)

    def _check_complete(self) -> None:
        dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
        if dropped:
            raise RuntimeError(f"the capture lost {dropped} frames: what it did not see proves nothing; use --jobs 1")

    def _read(self) -> None:
        while not self._stopping.is_set():
            try:
                frame, address = self._socket.recvfrom(_SNAP)
            except TimeoutError:
                continue
            if address[2] != _PACKET_OUTGOING:
                self._sights.append(read(frame))

    def __enter__(self) -> "Capture":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()


_KEPT = (Ruling.FORBIDDEN, Ruling.APART)
