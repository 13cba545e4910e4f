# title: UDP sendto
# row: UDP
# family: 4 6
from common import MARK, PORT, TARGET, attempt, udp

attempt(lambda: udp().sendto(MARK, (TARGET, PORT)))
