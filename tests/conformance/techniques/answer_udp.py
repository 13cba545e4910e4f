# title: UDP answer to a stranger who calls
# row: accepted connections, listener replies, UDP replies
# dial: udp
# variants: sendto connect
# family: 4 6
import socket

from common import MARK, PORT, SOURCE4, SOURCE6, TARGET, VARIANT, attempt, family


def work() -> None:
    sock = socket.socket(family(TARGET), socket.SOCK_DGRAM)
    sock.bind((SOURCE6 if family(TARGET) == socket.AF_INET6 else SOURCE4, PORT))
    sock.settimeout(1.5)
    caller = sock.recvfrom(100)[1]
    if VARIANT == "connect":
        sock.connect(caller)
        sock.send(MARK)
    else:
        sock.sendto(MARK, caller)


attempt(work)
