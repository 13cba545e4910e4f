"""A systemd drop-in that closes, for a tagged service, ways out that lie beside the data plane. See systemd.exec(5).

Each setting stands with the way out that it closes, so that whoever must leave one out knows what that opens. Lists
that begin with ~ take away from what the unit allows, and never widen it. What takes knowledge of the service (its
user, the paths that it writes) is left to the unit.
"""

import re
from string import Template

from landfast_agent.capabilities import UNDOING
from landfast_agent.errors import BadInput

_SERVICE = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?\.service")
_LONGEST = 255  # of a unit name
_OTHERS = ("socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")

_DROP_IN = Template("""\
# Landfast: closes ways out of $unit that lie beside the data plane. Apply it with
#   $agent doctor --unit '$unit' |
#       install -D -m 644 /dev/stdin '$path'
#   systemctl daemon-reload && systemctl restart '$unit'
# and see that the service still works. A setting that it cannot live with may go: its comment says what that opens.
# `User=` is the unit's to choose and matters as much: root owns the files by which others can be made to send.

[Service]
# Frames and packets past the hooks, other routes, detaching the programs, other processes' memory and sockets,
# the kernel itself, and the clock that expiries go by.
$capabilities
# Getting capabilities back from a setuid program, and leaving such a program behind for somebody else.
NoNewPrivileges=yes
RestrictSUIDSGID=yes
# AF_PACKET, AF_XDP, AF_VSOCK and whatever family no hook sees. Where the unit has such a line that allows fewer, drop
# this one: the two would add up.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
# Modules, another kernel, raw devices, mounts, the clock; tracing processes and taking their sockets.
SystemCallFilter=~@module @reboot @raw-io @mount @swap @clock @debug
# Programs in the kernel, writing into other processes, sending without a system call.
SystemCallFilter=~bpf process_vm_writev pidfd_getfd io_uring_setup io_uring_enter io_uring_register
# The same calls by the numbers of another architecture.
SystemCallArchitectures=native
# Closes nothing: a filtered call fails, where the default is that the service is killed.
SystemCallErrorNumber=EPERM
# User and network namespaces of its own, in which it has every capability.
RestrictNamespaces=yes
# Disks, tunnels, virtual machines and kernel memory by their devices.
PrivateDevices=yes
# Kernel modules, and programs that the kernel starts without tags for it (core_pattern and its like).
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectClock=yes
# Cgroups that no selector names.
ProtectControlGroups=yes
# Memory and descriptors of other users' processes.
ProtectProc=invisible
# Unit files, crontabs and libraries, by which others would do the sending. Where the service can name the paths that it
# writes, `ProtectSystem=strict` with `ReadWritePaths=` is better.
ProtectSystem=full
# The pins that hold the programs in the kernel, and the socket by which root may end enforcement. A unit that runs
# `$agent exec` itself needs the socket: leave out /run/landfast there.
InaccessiblePaths=-/sys/fs/bpf -/run/landfast
""")


def unit_name(text: str) -> str:
    """A service's name, with `.service` when it has no suffix. Raises BadInput for what cannot be one."""
    suffix = text.rpartition(".")[2]
    if suffix != text and suffix in _OTHERS:
        raise BadInput(f"{text}: a {suffix} starts no program of its own: name the service that belongs to it")
    name = text if suffix == "service" else f"{text}.service"
    if not _SERVICE.fullmatch(name) or len(name) > _LONGEST:
        raise BadInput(f"{text!r} is no unit name: give it as systemctl prints it, e.g. feed-ingest.service")
    return name


def path(unit: str) -> str:
    """Where the drop-in of a unit belongs."""
    return f"/etc/systemd/system/{unit}.d/50-landfast.conf"


def drop_in(unit: str, agent: str) -> str:
    """The file's text. `agent` is how the agent is called on this host's command line."""
    capabilities = "\n".join(f"CapabilityBoundingSet=~CAP_{name.upper()}" for name in UNDOING)
    return _DROP_IN.substitute(unit=unit, agent=agent, path=path(unit), capabilities=capabilities)
