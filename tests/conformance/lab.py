"""Two network namespaces and a wire: `source`, where techniques run, and `far`, which has every other address."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from tests.conformance.capture import Capture
from tests.conformance.far import Service
from tests.conformance.inside import Inside
from tests.conformance.technique import Technique
from tests.testbed import DATA_CENTRE, ENCLAVE, OUTSIDE, Namespace, Network
from tests.testbed.network import IFA_F_NODAD

PREFIX = "lfc"
TARGET4, TARGET6 = str(OUTSIDE.ip4), str(OUTSIDE.ip6)
APPROVED4, APPROVED6 = str(DATA_CENTRE.ip4), str(DATA_CENTRE.ip6)
SOURCE4, SOURCE6 = str(ENCLAVE.ip4), str(ENCLAVE.ip6)
GATEWAY4, GATEWAY6 = "10.10.0.1", "2001:db8:10::1"
_FAR = [TARGET4, TARGET6, APPROVED4, APPROVED6]
_FIRST_PORT, _FIRST_HELPER_PORT, _CONTROL_PORT = 20000, 26000, 19999


class Lab:
    """The two namespaces with capture, for one technique alone or for many that do not disturb each other."""

    def __init__(self, token: str) -> None:
        """`token` is what the marks of this run have in common."""
        self.token = token
        self._network = Network(PREFIX, (ENCLAVE,))
        self.source, self.far = self._network["enclave"], self._network.router
        self._stack = ExitStack()

    def __enter__(self) -> "Lab":
        with ExitStack() as stack:
            stack.enter_context(self._network)
            self._prepare()
            self._far_sockets, self._source_sockets = Inside(self.far), Inside(self.source)
            stack.callback(self._far_sockets.close)
            stack.callback(self._source_sockets.close)
            self.capture = stack.enter_context(Capture(self._far_sockets, "enclave", frozenset((APPROVED4, APPROVED6))))
            stack.enter_context(Service(self._far_sockets, _CONTROL_PORT, _FAR))
            self.files = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="lfc-", ignore_cleanup_errors=True))
            )
            self.files.chmod(0o777)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _prepare(self) -> None:
        self.source.sysctl("net.ipv4.ping_group_range=0 2147483647")
        with self.far.netlink() as link:
            for address in _FAR:
                length = 128 if ":" in address else 32
                link.addr("add", index=1, address=address, prefixlen=length, flags=IFA_F_NODAD)
        _let_mptcp_grow(self.source, self.far)

    def mark(self, technique: Technique) -> bytes:
        return f"{self.token}{technique.number:04d}".encode()

    def port(self, technique: Technique) -> int:
        return _FIRST_PORT + technique.number

    @contextmanager
    def serving(self, technique: Technique) -> Iterator[Path]:
        """The far side's service for the technique, and a directory of its own."""
        directory = self.files / technique.name
        directory.mkdir(exist_ok=True)
        directory.chmod(0o777)
        with Service(self._far_sockets, self.port(technique), _FAR, technique.dial, (SOURCE4, SOURCE6)):
            yield directory

    def environment(self, technique: Technique, directory: Path) -> dict[str, str]:
        """What the technique is told."""
        family = technique.family or "4"
        return self._places | {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "TARGET": TARGET6 if family == "6" else TARGET4,
            "APPROVED": APPROVED6 if family == "6" else APPROVED4,
            "VARIANT": technique.variant,
            "PORT": str(self.port(technique)),
            "MARK": self.mark(technique).decode(),
            "RUN_DIR": str(directory),
            "HELPER": str(directory / "helper"),
            "HELPER_PORT": str(_FIRST_HELPER_PORT + technique.number),
        }

    @cached_property
    def _places(self) -> dict[str, str]:
        with self.source.netlink() as here, self.far.netlink() as there:
            index = here.link_lookup(ifname="eth0")[0]
            target_mac = there.get_links(ifname="enclave")[0].get_attr("IFLA_ADDRESS")
        return {
            "TARGET4": TARGET4,
            "TARGET6": TARGET6,
            "APPROVED4": APPROVED4,
            "APPROVED6": APPROVED6,
            "SOURCE4": SOURCE4,
            "SOURCE6": SOURCE6,
            "GATEWAY4": GATEWAY4,
            "GATEWAY6": GATEWAY6,
            "IFACE": "eth0",
            "IFINDEX": str(index),
            "TARGET_MAC": target_mac,
        }

    def control(self, timeout: float) -> str:
        """An untagged process, this one, reaches the forbidden addresses. What went wrong, or nothing."""
        for address in (TARGET4, TARGET6):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    self._echo(address, kind, timeout)
                except OSError as error:
                    return f"untagged control to {address}, {kind.name}: {error}"
        return ""

    def _echo(self, address: str, kind: socket.SocketKind, timeout: float) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self._source_sockets.socket(family, kind) as sock:
            sock.settimeout(timeout)
            sock.connect((address, _CONTROL_PORT))
            sock.sendall(b"control")
            sock.recv(100)

    def strays(self, techniques: list[Technique]) -> list[str]:
        """Frames that no technique and no control accounts for."""
        ports = {self.port(technique) for technique in techniques} | {_CONTROL_PORT}
        return sorted({str(sight) for sight in self.capture.strays(ports, self.token.encode())})


def _let_mptcp_grow(source: Namespace, far: Namespace) -> None:
    """A connection to the approved address is offered a further subflow to the forbidden one."""
    source.run(["ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8"])
    far.run(["ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8"])
    for address in (TARGET4, TARGET6):
        far.run(["ip", "mptcp", "endpoint", "add", address, "signal"])
