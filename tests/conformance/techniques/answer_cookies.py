# title: answer to a stranger whose handshake was a SYN cookie
# row: accepted connections, listener replies, UDP replies
# caps: net_admin
# dial: tcp
# judge: mark
# family: 4 6
import socket

from common import MARK, PORT, SOURCE4, SOURCE6, TARGET, attempt, family


def work() -> None:
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w", encoding="ascii") as file:
        file.write("2")
    listener = socket.socket(family(TARGET))
    listener.bind((SOURCE6 if family(TARGET) == socket.AF_INET6 else SOURCE4, PORT))
    listener.listen()
    listener.settimeout(1.5)
    sock = listener.accept()[0]
    sock.sendall(MARK)
    sock.settimeout(1)
    sock.recv(1)


attempt(work)
