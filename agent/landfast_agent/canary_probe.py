"""The canary itself, a program of its own that imports nothing of the project.

It sits in a network namespace that it makes, whose only way out is a TUN device that it reads: whatever leaves the
host's hooks ends here, enforcement or not. Each line of standard input is a JSON list of attempts [way, address, port].
For each list a child is made that holds no privilege. It says its number, waits to be tagged and for the line `go`,
makes the attempts, and ends; then a line tells what it was answered, and how many packets came out of the device. It
ends with its input.

Ways: `connect` (TCP), `sendto` (UDP), and `send`: UDP on a socket that was connected before the process was tagged, so
that only the verdict on packets can refuse it. A packet that is sent before the tags come shows that the device works.
"""

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys
import time

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x1, 0x1000
_SIOCADDRT, _SIOCSIFADDR, _SIOCSIFFLAGS = 0x890B, 0x8916, 0x8914
_IFF_UP, _RTF_UP = 0x1, 0x1
_NOBODY = 65534
_DEVICE = "canary"
_SOURCE4, _SOURCE6 = "198.18.0.1", "fd00::1"  # nobody else is in this namespace
_PAYLOAD = b"landfast canary"

Attempt = tuple[str, str, int]


def main() -> None:
    device = _device()
    print("ready", flush=True)
    for line in sys.stdin:
        attempts = json.loads(line)
        answers = _in_child(device, attempts)
        print(json.dumps({"answers": answers, "escaped": _read(device, attempts)}), flush=True)


def _device() -> int:
    """The TUN device of a new network namespace, which everything is routed to."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", _DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16s16s8x", _DEVICE.encode(), _sockaddr(_SOURCE4)))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", _DEVICE.encode(), _IFF_UP))
        _route4(control)
    if os.path.exists("/proc/net/if_inet6"):
        _route6()
    return device


def _sockaddr(address: str) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _route4(control: socket.socket) -> None:
    """struct rtentry of uapi/linux/route.h: 0.0.0.0/0 to the device."""
    name = ctypes.create_string_buffer(_DEVICE.encode())
    everything = struct.pack("=H14x", socket.AF_INET)
    tail = (_RTF_UP, 0, 0, 0, 0, ctypes.addressof(name), 0, 0, 0)
    fcntl.ioctl(control, _SIOCADDRT, struct.pack("@L16s16s16sHhLPhPLLH", 0, *[everything] * 3, *tail))


def _route6() -> None:
    """struct in6_ifreq of uapi/linux/ipv6.h, struct in6_rtmsg of uapi/linux/ipv6_route.h: ::/0 to the device."""
    index = socket.if_nametoindex(_DEVICE)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        address = socket.inet_pton(socket.AF_INET6, _SOURCE6)
        fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("=16sIi", address, 128, index))
        route = struct.pack("@16s16s16sIHHILIi", bytes(16), bytes(16), bytes(16), 0, 0, 0, 1, 0, _RTF_UP, index)
        fcntl.ioctl(control, _SIOCADDRT, route)


def _in_child(device: int, attempts: list[Attempt]) -> list[str]:
    """What a child was answered, attempt by attempt: `ok` or the name of an errno."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(device)
        os.write(writer, json.dumps(_attempt_all(attempts)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answers: list[str] = json.loads(pipe.read() or "[]")
    os.waitpid(child, 0)
    return answers


def _attempt_all(attempts: list[Attempt]) -> list[str]:
    connected = {(address, port): _connected(address, port) for way, address, port in attempts if way == "send"}
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    print(os.getpid(), flush=True)
    if sys.stdin.readline() != "go\n":
        return []
    return [_answer(attempt, connected) for attempt in attempts]


def _connected(address: str, port: int) -> socket.socket:
    """A UDP socket that is used once before the tags come."""
    sock = socket.socket(_family(address), socket.SOCK_DGRAM)
    for _ in range(100):
        try:
            sock.connect((address, port))
            sock.send(_PAYLOAD)
            break
        except OSError:  # a fresh IPv6 address takes a moment to become usable
            time.sleep(0.01)
    return sock


def _answer(attempt: Attempt, connected: dict[tuple[str, int], socket.socket]) -> str:
    way, address, port = attempt
    try:
        if way == "send":
            connected[address, port].send(_PAYLOAD)
        else:
            _fresh(way, address, port)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


def _fresh(way: str, address: str, port: int) -> None:
    kind = socket.SOCK_STREAM if way == "connect" else socket.SOCK_DGRAM
    with socket.socket(_family(address), kind | socket.SOCK_NONBLOCK) as sock:
        if way == "connect":
            sock.connect((address, port))
        else:
            sock.sendto(_PAYLOAD, (address, port))


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _read(device: int, attempts: list[Attempt]) -> dict[str, int]:
    """How many packets to each address came out of the device."""
    wanted = {socket.inet_pton(_family(address), address): address for _, address, _ in attempts}
    found = dict.fromkeys(wanted.values(), 0)
    while True:
        try:
            packet = os.read(device, 2048)
        except BlockingIOError:
            return found
        destination = packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]
        if destination in wanted:
            found[wanted[destination]] += 1


main()
