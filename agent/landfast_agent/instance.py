"""Where one instance of the agent keeps its pins, its sockets and its state.

`landfast-agent --instance NAME` keeps everything apart under that name, so that tests and demonstrations never touch
the instance `default` of a host.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True)
class Instance:
    """The directories of the instance `name`. Nothing is created by looking."""

    name: str = "default"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"instance name {self.name!r}: use 1 to 31 of a-z, 0-9 and '-', beginning with a letter or a digit"
            )

    @property
    def agent(self) -> str:
        """How the agent of this instance is called on a command line."""
        return "landfast-agent" if self.name == "default" else f"landfast-agent --instance {self.name}"

    @property
    def pins(self) -> Path:
        """Directory of the bpf file system with `maps/`, `programs/` and `links/`."""
        return Path("/sys/fs/bpf/landfast") / self.name

    @property
    def run(self) -> Path:
        """Runtime directory: the control socket. Gone after a reboot."""
        return Path("/run/landfast") / self.name

    @property
    def state(self) -> Path:
        """What must survive a reboot: policy, spool, identity."""
        return Path("/var/lib/landfast") / self.name

    @property
    def images(self) -> Path:
        """Compiled data planes, named by what they were compiled from: shared by all instances."""
        return Path("/var/cache/landfast/images")

    @property
    def control_socket(self) -> Path:
        return self.run / "agent.sock"

    def map(self, name: str) -> Path:
        return self.pins / "maps" / name
