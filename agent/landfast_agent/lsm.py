"""Whether the kernel asks BPF programs at its LSM hooks.

They load and attach on kernels that never run them, so it is not enough to try.
"""

from pathlib import Path

from landfast_agent.errors import Unavailable

_ACTIVE = Path("/sys/kernel/security/lsm")


def require_active() -> None:
    """Raises Unavailable, with the remedy, when `bpf` is not among the active security modules."""
    if not _ACTIVE.exists():
        raise Unavailable(f"{_ACTIVE} is missing: mount -t securityfs securityfs /sys/kernel/security")
    active = _ACTIVE.read_text()
    if "bpf" not in active.split(","):
        raise Unavailable(f"BPF LSM is not active: boot with lsm={active},bpf on the kernel's command line")


def is_active() -> bool:
    try:
        require_active()
    except Unavailable:
        return False
    return True
