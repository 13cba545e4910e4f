# title: handshake with a stranger by SYN cookie
# row: accepted connections, listener replies, UDP replies
# caps: net_admin
# dial: tcp
# family: 4 6
import socket
import time

from common import PORT, SOURCE4, SOURCE6, TARGET, attempt, family


def work() -> None:
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w", encoding="ascii") as file:
        file.write("2")
    with socket.socket(family(TARGET)) as listener:
        listener.bind((SOURCE6 if family(TARGET) == socket.AF_INET6 else SOURCE4, PORT))
        listener.listen()
        time.sleep(0.5)


attempt(work)
