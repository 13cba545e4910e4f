# title: TCP connect and send
# row: TCP connect
# family: 4 6
from common import MARK, PORT, TARGET, attempt, tcp


def work() -> None:
    sock = tcp()
    sock.connect((TARGET, PORT))
    sock.sendall(MARK)
    sock.recv(100)


attempt(work)
