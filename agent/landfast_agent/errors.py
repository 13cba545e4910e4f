"""What can go wrong on a host.

AgentError              says the thing, the place and the remedy; `status` is the exit status
├── Refused             1: the answer is no (a denied verdict, an unhealthy host)
├── BadInput            2: usage, a bad file, an unknown class
└── Unavailable         3: permission, kernel, connection
    └── KernelError     a bpf(2) call that failed, with its errno
"""


class AgentError(Exception):
    """An error that a person can act on. `status` is the exit status of the command that met it."""

    status = 3


class Refused(AgentError):
    status = 1


class BadInput(AgentError):
    status = 2


class Unavailable(AgentError):
    status = 3


class KernelError(Unavailable):
    """A call into the kernel failed. `errno` is the positive error number."""

    def __init__(self, what: str, errno: int, detail: str = "") -> None:
        import os

        self.errno = errno
        super().__init__(f"{what}: {os.strerror(errno)} (errno {errno})" + (f"\n{detail}" if detail else ""))
