"""A program at the egress of one network link by a filter of the clsact qdisc: for kernels without tcx.

A filter belongs to the network link, not to a pin: it stays until somebody removes it, and anybody with CAP_NET_ADMIN
may. The qdisc is everybody's and stays.
"""

import errno
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from landfast_agent.errors import KernelError
from landfast_agent.instance import Instance

_EGRESS = 0xFFFFFFF3  # TC_H_CLSACT, TC_H_MIN_EGRESS
_HANDLE = 1


def attached(instance: Instance, index: int) -> int:
    """Id of our program at the network link; 0 when there is none. It is part of the filter's name."""
    with IPRoute() as netlink:
        found = _ours(netlink, instance, index)
    return int(_name(found).rpartition("/")[2]) if found else 0


def attach(instance: Instance, index: int, program: int, prog_id: int) -> None:
    """Attaches a program, or puts it in place of ours. Raises KernelError."""
    with IPRoute() as netlink:
        old = _ours(netlink, instance, index)
        options = {"fd": program, "name": f"{_prefix(instance)}{prog_id}", "direct_action": True}
        try:
            _make_qdisc(netlink, index)
            netlink.tc(
                "replace-filter", "bpf", index, _HANDLE, parent=_EGRESS, prio=_priority(old) if old else 0, **options
            )
        except NetlinkError as error:
            raise KernelError(f"attach a filter to network link {index}", error.code) from error


def remove(instance: Instance) -> None:
    """Takes our filters away from all network links."""
    with IPRoute() as netlink:
        for index in [link["index"] for link in netlink.get_links()]:
            found = _ours(netlink, instance, index)
            if found:
                netlink.tc("del-filter", "bpf", index, _HANDLE, parent=_EGRESS, prio=_priority(found))


def _make_qdisc(netlink: Any, index: int) -> None:
    try:
        netlink.tc("add", "clsact", index)
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise


def _ours(netlink: Any, instance: Instance, index: int) -> Any:
    filters = netlink.get_filters(index=index, parent=_EGRESS)
    return next((each for each in filters if _name(each).startswith(_prefix(instance))), None)


def _name(found: Any) -> str:
    options = found.get_attr("TCA_OPTIONS")
    name = options.get_attr("TCA_BPF_NAME") if options and found.get_attr("TCA_KIND") == "bpf" else None
    return str(name or "")


def _priority(found: Any) -> int:
    return int(found["info"]) >> 16


def _prefix(instance: Instance) -> str:
    return f"landfast/{instance.name}/"
