"""Every struct, enum and limit of bpf/landfast.h against the Python side, as the kernel programs' compiler sees it.

The compiler judges: each size, offset and value becomes a _Static_assert in a program that BCC compiles, and the errors
of those that do not hold name the struct and the field.
"""

import re
import subprocess
from collections.abc import Iterable
from enum import IntEnum

from landfast import calls, event, verdict
from landfast.policy import layout as policy_layout
from landfast.policy.layout import Layout
from landfast_agent import layout as agent_layout
from landfast_agent import slots
from landfast_agent.image import source_directory

HEADER = source_directory() / "landfast.h"
EVENT = Layout("lf_event", *((name, code) for name, code, _ in event.FIELDS))
STRUCTS = (EVENT, *policy_layout.STRUCTS, *agent_layout.STRUCTS)
ENUMS = {
    "LF_SPACE_": verdict.Space,
    "LF_PROTO_": verdict.Protocol,
    "LF_": verdict.Verdict,
    "LF_R_": verdict.Reason,
    "LF_S_": verdict.Stage,
    "LF_LSM_": verdict.LsmHook,
}
LIMITS = {
    "LF_LAYOUT_VERSION": agent_layout.LAYOUT_VERSION,
    "LF_CLASSES": policy_layout.CLASSES,
    "LF_SLOTS": slots._SLOTS,
    "LF_INSTANTS": policy_layout.INSTANTS,
    "LF_TIMED_SETS": policy_layout.TIMED_SETS,
    "LF_GLOB_WORDS": policy_layout.GLOB_WORDS,
    "LF_GLOB_BITS": policy_layout.GLOB_BITS,
    "LF_PATH_LEN": policy_layout.PATH_LEN,
    "LF_STAGES": len(verdict.Stage),
    "LF_COUNTERS": 8,
    "LF_E_LOCAL": event.LOCAL,
    "LF_E_SERVING": event.SERVING,
    "LF_CALL_32BIT": calls.CALL_32BIT,
    "LF_CALL_LSM": calls.CALL_LSM,
}
COMPILER = """
import sys
from bcc import BPF
BPF(text=sys.stdin.read().encode())
"""


def compiler_says(assertions: Iterable[str]) -> str:
    """The compiler's errors about the assertions; empty when all of them hold."""
    lines = ["#include <uapi/linux/bpf.h>", "#define LF_KERNEL", HEADER.read_text(), *assertions]
    text = "\n".join([*lines, "int probe(void *ctx) { return 0; }"])
    argv = ["/usr/bin/python3", "-c", COMPILER]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=60)
    errors = re.findall(r"error: static_assert\w* failed.*\"(.*)\"", done.stderr)
    assert bool(errors) == bool(done.returncode), done.stderr
    return "\n".join(errors)


def equal(expression: str, value: int) -> str:
    return f'_Static_assert({expression} == {value}, "{expression} is not {value}");'


def of_struct(struct: Layout) -> list[str]:
    """A field of a Layout that is not in C, or the other way round, moves what comes after it, or the size."""
    offsets = [equal(f"__builtin_offsetof(struct {struct.name}, {f})", struct.offset(f)) for f, _ in struct.fields]
    return [equal(f"sizeof(struct {struct.name})", struct.size), *offsets]


def of_enum(prefix: str, enum: type[IntEnum]) -> list[str]:
    return [equal(prefix + member.name, member.value) for member in enum]


def test_structs() -> None:
    assert compiler_says(line for struct in STRUCTS for line in of_struct(struct)) == ""


def test_enums_and_limits() -> None:
    enums = [line for prefix, enum in ENUMS.items() for line in of_enum(prefix, enum)]
    assert compiler_says([*enums, *(equal(name, value) for name, value in LIMITS.items())]) == ""


def test_no_struct_and_no_name_of_the_header_is_left_out() -> None:
    text = HEADER.read_text()
    kernel_only = {"lf_heard_key"}
    assert set(re.findall(r"^struct (\w+) \{", text, re.M)) == {struct.name for struct in STRUCTS} | kernel_only
    for prefix, enum in ENUMS.items():
        if prefix != "LF_":
            assert set(re.findall(rf"^\t{prefix}(\w+) =", text, re.M)) == {member.name for member in enum}


def test_a_difference_is_found() -> None:
    """The compiler is really asked: what is wrong here must come back with its name."""
    wrong = Layout("lf_grant", ("classes", "Q"), ("timed", "I"), ("timed_set", "I"), ("rule", "I"))
    errors = compiler_says(of_struct(wrong))
    assert "offsetof(struct lf_grant, timed_set) is not 12" in errors
    assert "sizeof(struct lf_grant) is not 20" in errors
