# title: netlink: questions about links and addresses, and announcements of devices, as name lookups and udev need
# row: controls
import socket
import struct

NETLINK_ROUTE, NETLINK_AUDIT, NETLINK_KOBJECT_UEVENT = 0, 9, 15  # linux/netlink.h
RTM_GETLINK, NLM_F_DUMP_REQUEST = 18, 0x301  # linux/rtnetlink.h

with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as sock:
    sock.send(struct.pack("=IHHIIB3x", 20, RTM_GETLINK, NLM_F_DUMP_REQUEST, 1, 0, socket.AF_UNSPEC))
    assert b"lo\0" in sock.recv(65536)
assert socket.if_nameindex()
socket.getaddrinfo("127.0.0.1", 80)
for protocol in NETLINK_KOBJECT_UEVENT, NETLINK_AUDIT:
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).close()
    except PermissionError:
        raise
    except OSError:
        pass  # a kernel without it says so
