"""Structs of bpf/landfast.h that never leave the host. A test holds every size and offset against the header."""

from landfast.policy.layout import GLOB_BITS, Layout

CONTROL = Layout(
    "lf_control",
    ("generation", "Q"),
    ("layout", "Q"),
    ("tagged", "Q"),
    ("selecting", "Q"),
    ("wake_ns", "Q"),
    ("reserve_used", "Q"),
    ("hunt", "Q"),
    ("hunt_tags", "Q"),
    ("guarded", "Q"),
    ("lsm", "Q"),
    ("flows", "Q"),
)
TASK = Layout(
    "lf_task",
    ("tags", "Q"),
    ("image", "Q"),
    ("since_ns", "Q"),
    ("cgroup_id", "Q"),
    ("parent", "I"),
    ("hunt", "I"),
    ("netns", "Q"),
)
BIRTH = Layout("lf_birth", ("time_ns", "Q"), ("parent", "I"), ("hunt", "I"))
IMAGE = Layout(
    "lf_image",
    ("time_ns", "Q"),
    ("cgroup_id", "Q"),
    ("tgid", "I"),
    ("uid", "I"),
    ("comm", "16s"),
    ("file", "128s"),
)
FLOW = Layout(
    "lf_flow",
    ("since_ns", "Q"),
    ("version", "Q"),
    ("remote", "16s"),
    ("remote_port", "H"),
    ("local_port", "H"),
    ("rule", "I"),
    ("protocol", "B"),
    ("flags", "B"),
    ("verdict", "B"),
    ("reason", "B"),
    ("family", "B"),
    ("several", "B"),
    ("pad", "2x"),
    ("ticks", "I"),
    ("packets_out", "I"),
    ("packets_in", "I"),
    ("pad2", "4x"),
    ("bytes_out", "Q"),
    ("bytes_in", "Q"),
)
SOCK = Layout(
    "lf_sock",
    ("lock", "I"),
    ("layout", "I"),
    ("tags", "Q"),
    ("origin", "Q"),
    ("image", "Q"),
    ("tgid", "I"),
    ("uid", "I"),
    ("generation", "Q"),
    ("deadline_ns", "Q"),
    ("remote", "16s"),
    ("remote_port", "H"),
    ("local_port", "H"),
    ("protocol", "B"),
    ("local", "B"),
    ("verdict", "B"),
    ("serving", "B"),
    ("peer_tags", "Q"),
    ("foreign", "Q"),
    ("version", "Q"),
    ("rule", "I"),
    ("reason", "B"),
    ("pad", "3x"),
    ("flow", f"{FLOW.size}s"),
    ("reserved", "16s"),
)
GLOB_TAGS = Layout("lf_glob_tags", ("tags", f"{GLOB_BITS}Q"))

STRUCTS = (CONTROL, TASK, BIRTH, IMAGE, FLOW, SOCK, GLOB_TAGS)
LAYOUT_VERSION = 3  # LF_LAYOUT_VERSION
