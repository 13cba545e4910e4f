"""The test bed: network namespaces, cgroups, real servers and a sniffer, for the tests and for `make demo`.

Only `plane` knows Landfast. Everything that it makes in the kernel bears a name that says which process made it
(`names`), so that what a killed run left behind is recognised and removed (`leftovers`), and what a living run still
uses is not touched.
"""

from tests.testbed.cgroup import Cgroup, cgroup_root
from tests.testbed.names import owned
from tests.testbed.namespace import Namespace
from tests.testbed.network import CONTROLLER, DATA_CENTRE, ENCLAVE, OUTSIDE, Network, Site
from tests.testbed.program import Program
from tests.testbed.servers import echo_server, rsync_server, web_server
from tests.testbed.sniffer import Frame, Sniffer
from tests.testbed.waiting import eventually

__all__ = [
    "CONTROLLER",
    "DATA_CENTRE",
    "ENCLAVE",
    "OUTSIDE",
    "Cgroup",
    "Frame",
    "Namespace",
    "Network",
    "Program",
    "Site",
    "Sniffer",
    "cgroup_root",
    "echo_server",
    "eventually",
    "owned",
    "rsync_server",
    "web_server",
]
