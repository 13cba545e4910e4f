"""Compiles bpf/landfast.c with BCC and prints the program image as JSON. Runs by itself, under the system's Python.

This is the only module that needs BCC and LLVM (130 MiB): `landfast_agent.image` starts it as a short-lived process
when no image is cached for this source and kernel. It imports nothing of the project, since the system's Python has
only BCC.

Usage: python3 compile_bpf.py BPF_DIRECTORY [DEFINE]...
"""

import base64
import ctypes
import json
import re
import sys
from pathlib import Path

from bcc import BPF, lib

_LD_IMM64, _PSEUDO_MAP_FD = 0x18, 1
_INCLUDE = re.compile(r'#include "(.+)"')


def _text(path: Path) -> str:
    """The source with its own headers in place: BCC rewrites map accesses in the main file only."""
    lines = [f'#line 1 "{path.name}"']
    for number, line in enumerate(path.read_text().splitlines(), 2):
        include = _INCLUDE.match(line)
        if include:
            lines += [_text(path.parent / include[1]), f'#line {number} "{path.name}"']
        else:
            lines.append(line)
    return "\n".join(lines)


def _flags() -> list[str]:
    flags = ["-Wno-macro-redefined"]
    exit_format = Path("/sys/kernel/tracing/events/sched/sched_process_exit/format")
    if "group_dead" in exit_format.read_text():
        flags.append("-DLF_HAVE_GROUP_DEAD")
    return flags


def _maps(module: ctypes.c_void_p) -> list[dict[str, object]]:
    lib.bpf_table_name.restype = ctypes.c_char_p
    return [
        {
            "name": lib.bpf_table_name(module, i).decode(),
            "fd": lib.bpf_table_fd_id(module, i),
            "type": lib.bpf_table_type_id(module, i),
            "key_size": lib.bpf_table_key_size_id(module, i),
            "value_size": lib.bpf_table_leaf_size_id(module, i),
            "max_entries": lib.bpf_table_max_entries_id(module, i),
            "flags": lib.bpf_table_flags_id(module, i),
        }
        for i in range(lib.bpf_num_tables(module))
    ]


def _relocations(code: bytes, names: dict[int, str]) -> dict[int, str]:
    """Indices of the instructions that load a map, with the map's name."""
    found = {}
    for index in range(len(code) // 8):
        opcode, registers = code[index * 8], code[index * 8 + 1]
        if opcode == _LD_IMM64 and registers >> 4 == _PSEUDO_MAP_FD:
            found[index] = names[int.from_bytes(code[index * 8 + 4 : index * 8 + 8], "little")]
    return found


def _programs(module: ctypes.c_void_p, names: dict[int, str]) -> list[dict[str, object]]:
    programs = []
    for i in range(lib.bpf_num_functions(module)):
        name = lib.bpf_function_name(module, i)
        code = ctypes.string_at(lib.bpf_function_start(module, name), lib.bpf_function_size(module, name))
        relocations = _relocations(code, names)
        programs.append({"name": name.decode(), "code": base64.b64encode(code).decode(), "maps": relocations})
    return programs


def main() -> None:
    source = Path(sys.argv[1])
    flags = [*_flags(), *(f"-D{define}" for define in sys.argv[2:])]
    module = BPF(text=_text(source / "landfast.c").encode(), cflags=flags).module
    maps = _maps(module)
    names = {int(str(entry.pop("fd"))): str(entry["name"]) for entry in maps}
    json.dump({"maps": maps, "programs": _programs(module, names)}, sys.stdout)


if __name__ == "__main__":
    main()
