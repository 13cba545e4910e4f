"""Asks the kernel's connect hook, run as a program of its own: each line is a JSON list of [protocol, address, port].

Prints a line with the number of refusals when the list is done. Meant for a namespace without routes: no packet is
ever sent. Imports nothing of the project.
"""

import json
import socket
import sys

KINDS = {6: socket.SOCK_STREAM, 17: socket.SOCK_DGRAM}


def refused(protocol: int, address: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, KINDS[protocol]) as sock:
        sock.setblocking(False)
        try:
            sock.connect((address, port))
        except PermissionError:
            return 1
        except OSError:
            return 0
    return 0


print("ready", flush=True)
for line in sys.stdin:
    print(sum(refused(*each) for each in json.loads(line)), flush=True)
