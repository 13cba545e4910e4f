"""Puts the data plane into the kernel and keeps it there: maps, programs and links, all pinned.

A later version finds the pinned maps, loads its programs around them, and replaces the program of every link in place,
so that there is no moment without enforcement. Tracepoint links cannot be updated: the new one is attached before the
old one is let go, and the programs bear running twice.
"""

import errno
import hashlib
import os
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from landfast.policy.layout import UNIX_NAME
from landfast_agent import btf, cgroups, libbpf, lsm, perf, pins
from landfast_agent.errors import KernelError, Unavailable
from landfast_agent.hooks import HOOKS, LSM, LSM_HOOKS, RAW_TRACEPOINT, TRACING, Hook, has_lsm_tier
from landfast_agent.image import Image, MapSpec, Program
from landfast_agent.instance import Instance
from landfast_agent.layout import CONTROL, LAYOUT_VERSION

LICENCE = "Dual BSD/GPL"
NOT_OFFERED = "not offered by this kernel"


_SK_STORAGE, _ARRAY_OF_MAPS = 24, 12
_INNER = {"dests": "dest_template", "ports": "port_template", "unix_peers": "unix_template"}

_CALL, _KFUNC_CALL = 0x85, 2  # opcode; source register of a call of a kfunc
_KFUNC_BASE = 1 << 16  # LF_KFUNC
_KFUNCS = ("bpf_cast_to_kern_ctx", "bpf_send_signal_task")  # in the order of the numbers in bpf/kernel.h


@dataclass(frozen=True)
class LinkState:
    """What is attached at a hook: the pinned link's program, or why there is none.

    A `problem` is a difference from what should be; `absence` is why nothing need be there.
    """

    hook: Hook
    prog_id: int = 0
    problem: str = ""
    absence: str = ""


def _host_limits() -> dict[str, int]:
    """Sizes that follow the host: as many thread groups as it can have."""
    limits = [int(Path("/proc/sys/kernel", name).read_text()) for name in ("pid_max", "threads-max")]
    return {"tasks": max(min(limits), 1024)}


def _create(spec: MapSpec, maps: dict[str, int], sizes: dict[str, int]) -> int:
    btf = (0, 0, 0)
    entries = sizes.get(spec.name, spec.max_entries)
    if spec.type == _SK_STORAGE:
        btf, entries = libbpf.btf_of_locked_struct(spec.name, spec.value_size), 0
    return libbpf.map_create(
        spec.type,
        spec.name,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=entries,
        flags=spec.flags,
        inner_fd=maps[_INNER[spec.name]] if spec.type == _ARRAY_OF_MAPS else 0,
        btf=btf,
    )


def _require_bpffs() -> None:
    if not os.path.ismount("/sys/fs/bpf"):
        raise Unavailable("/sys/fs/bpf is not a bpf file system: mount -t bpf bpf /sys/fs/bpf")


def _open_maps(image: Image, instance: Instance, ring_bytes: int) -> dict[str, int]:
    """The pinned maps, made where they are missing. Templates come first: array-of-maps are made after them."""
    sizes = {**_host_limits(), "events": ring_bytes}
    maps: dict[str, int] = {}
    for spec in sorted(image.maps, key=lambda m: m.type == _ARRAY_OF_MAPS):
        path = instance.map(spec.name)
        if path.exists():
            maps[spec.name] = libbpf.obj_get(path)
            continue
        maps[spec.name] = _create(spec, maps, sizes)
        libbpf.obj_pin(maps[spec.name], path)
    return maps


def _check_layout(instance: Instance) -> None:
    """Refuses maps of another layout: socket storage cannot be rebuilt while sockets live."""
    path = instance.map("control")
    if not path.exists():
        return
    fd = libbpf.obj_get(path)
    try:
        value = libbpf.map_lookup(fd, bytes(4), libbpf.map_info(fd).value_size) or bytes(CONTROL.size)
    finally:
        os.close(fd)
    found = struct.unpack_from("=Q", value, CONTROL.offset("layout"))[0]
    if found not in (0, LAYOUT_VERSION):
        raise Unavailable(
            f"{instance.pins}: the pinned maps have layout {found}, this version needs {LAYOUT_VERSION}: "
            f"drain the tagged workloads, then `landfast-agent unload --reason upgrade` and start again"
        )


def _relocated(program: Program, maps: dict[str, int]) -> bytes:
    code = bytearray(program.code)
    for index, name in program.maps.items():
        struct.pack_into("<i", code, index * 8 + 4, maps[name])
    _call_kfuncs(code)
    return bytes(code)


def _call_kfuncs(code: bytearray) -> None:
    """Turns calls of helper numbers from LF_KFUNC on, which no helper has, into calls of kfuncs: BCC knows none."""
    for at in range(0, len(code), 8):
        number = struct.unpack_from("<i", code, at + 4)[0] - _KFUNC_BASE
        if code[at] == _CALL and code[at + 1] == 0 and number >= 0:
            target = btf.require_function(_KFUNCS[number])
            struct.pack_into("<BBhi", code, at, _CALL, _KFUNC_CALL << 4, 0, target)


def _btf_id(hook: Hook) -> int:
    """What a program is loaded for; 0 for kinds that are told when they are attached."""
    if hook.kind == TRACING:
        return btf.require_tracepoint(hook.tracepoint)
    return btf.require_function(hook.function) if hook.function else 0


def _load_program(hook: Hook, program: Program | None, maps: dict[str, int]) -> int | None:
    """A descriptor; None when the hook is optional and this kernel, or its compiler's headers, cannot do it."""
    try:
        if program is None or (hook.kind == LSM and not lsm.is_active()):
            raise KernelError(f"load program {hook.program}", errno.EOPNOTSUPP)
        code = _relocated(program, maps)
        return libbpf.prog_load(
            hook.kind,
            hook.program,
            code,
            licence=LICENCE,
            attach_type=hook.attach_type,
            attach_btf_id=_btf_id(hook),
        )
    except KernelError:
        if hook.optional:
            return None
        raise


def _load_programs(image: Image, maps: dict[str, int]) -> dict[str, int]:
    """Two at a time: the kernel's verifier takes its time."""
    by_name = {program.name: program for program in image.programs}
    with ThreadPoolExecutor(2) as pool:
        fds = pool.map(lambda hook: _load_program(hook, by_name.get(hook.program), maps), HOOKS)
        return {hook.program: fd for hook, fd in zip(HOOKS, fds, strict=True) if fd is not None}


def _attach(hook: Hook, prog_fd: int) -> int:
    if hook.kind == RAW_TRACEPOINT:
        return libbpf.raw_tracepoint_open(hook.tracepoint, prog_fd)
    if hook.kind in (TRACING, LSM):
        return libbpf.raw_tracepoint_open("", prog_fd)
    if hook.tracepoint:
        return perf.link_tracepoint(hook.tracepoint, prog_fd)
    cgroup_fd = os.open(cgroups.root(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        return libbpf.link_create(prog_fd, cgroup_fd, hook.attach_type)
    finally:
        os.close(cgroup_fd)


def replace_pin(link_fd: int, path: Path) -> None:
    """Pins under a new name and renames over the old pin: at no time is there none."""
    fresh = path.with_name(path.name + "-new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    libbpf.obj_pin(link_fd, fresh)
    fresh.rename(path)


def _attach_or_update(hook: Hook, prog_fd: int, path: Path) -> None:
    if path.exists() and not hook.tracepoint:
        link = libbpf.obj_get(path)
        try:
            libbpf.link_update(link, prog_fd)
            return
        except KernelError:  # a link that lost its cgroup: make a new one
            pass
        finally:
            os.close(link)
    link = _attach(hook, prog_fd)
    try:
        replace_pin(link, path)
    finally:
        os.close(link)


def _put(hook: Hook, prog_fd: int | None, instance: Instance) -> None:
    """Pins a program, and attaches it unless it waits for a demand that there is not."""
    link, pin = _pin(instance, "links", hook), _pin(instance, "programs", hook)
    if prog_fd is None:
        link.unlink(missing_ok=True)
        pin.unlink(missing_ok=True)
        return
    if not hook.on_demand or link.exists():
        _attach_or_update(hook, prog_fd, link)
    replace_pin(prog_fd, pin)


def _pin(instance: Instance, kind: str, hook: Hook) -> Path:
    return instance.pins / kind / hook.program


def attach(hook: Hook, instance: Instance) -> bool:
    """Attaches a program that is loaded and waits for demand. Whether this kernel has it."""
    pin = _pin(instance, "programs", hook)
    if not pin.exists():
        return False
    program = libbpf.obj_get(pin)
    try:
        _attach_or_update(hook, program, _pin(instance, "links", hook))
    finally:
        os.close(program)
    return True


def offers_lsm(instance: Instance) -> bool:
    """Whether this kernel has loaded the programs of the tier with BPF LSM: all of them, or none counts."""
    return has_lsm_tier({hook.program for hook in LSM_HOOKS if _pin(instance, "programs", hook).exists()})


def detach(hook: Hook, instance: Instance) -> None:
    """Lets go of the link; the program stays loaded."""
    _pin(instance, "links", hook).unlink(missing_ok=True)


def _marker(instance: Instance) -> Path:
    """A directory with a directory named by the image that is loaded, with one for each program that this kernel took.

    The bpf file system keeps no files.
    """
    return instance.pins / "image"


def _unmark(instance: Instance) -> None:
    if _marker(instance).is_dir():
        shutil.rmtree(_marker(instance))


def loaded_key(instance: Instance) -> str:
    """The image that is loaded in full; empty when there is none, as after a load that was killed."""
    return next((path.name for path in _marker(instance).glob("*")), "")


def alterations(image: Image, instance: Instance) -> list[str]:
    """What somebody has done to `image` since it was loaded in full."""
    problems = [f"{state.hook.title} {state.problem}" for state in inspect(instance) if state.problem]
    by_name = {program.name: program for program in image.programs}
    for path in _marker(instance).glob("*/*"):
        problem = _forged(by_name.get(path.name), instance.pins / "programs" / path.name)
        problems += [f"program {path.name} {problem}"] if problem else []
    return problems


def _forged(program: Program | None, pin: Path) -> str:
    """Why what is pinned is not the program; empty when it is."""
    if program is None or not pin.exists():
        return "is gone"
    fd = libbpf.obj_get(pin)
    try:
        tag = libbpf.prog_info(fd).tag
    finally:
        os.close(fd)
    return "" if tag in _tags(program) else f"is another one, {tag}"


def _tags(program: Program) -> set[str]:
    """What kernels may call it: the beginning of a hash of its code without map descriptors, SHA-256 since Linux 6.18,
    SHA-1 before (bpf_prog_calc_tag in kernel/bpf/core.c)."""
    code = _relocated(program, dict.fromkeys(program.maps.values(), 0))
    return {hashlib.sha1(code, usedforsecurity=False).hexdigest()[:16], hashlib.sha256(code).hexdigest()[:16]}


def _name_agent(fd: int, instance: Instance) -> None:
    name = os.fsencode(instance.control_socket)
    libbpf.map_update(fd, UNIX_NAME.pack(len(name), name), bytes(8))


def load(image: Image, instance: Instance, ring_bytes: int) -> None:
    """Makes the kernel run `image` for this instance; what already runs is replaced in place.

    Does nothing when just this image is loaded and attached, as after a restart of the daemon. Raises Unavailable,
    with nothing detached, when a feature is missing.
    """
    _require_bpffs()
    _check_layout(instance)
    for directory in ("maps", "programs", "links"):
        pins.make(instance.pins / directory, instance)
    marker = _marker(instance) / image.key
    if marker.is_dir() and not alterations(image, instance):
        return
    _unmark(instance)
    maps = _open_maps(image, instance, ring_bytes)
    _name_agent(maps["agent_sockets"], instance)
    programs: dict[str, int] = {}
    try:
        programs = _load_programs(image, maps)
        for hook in HOOKS:
            _put(hook, programs.get(hook.program), instance)
        for name in programs:
            pins.make(marker / name, instance)
    finally:
        for fd in (*maps.values(), *programs.values()):
            os.close(fd)


def probe(image: Image) -> frozenset[str]:
    """Loads every program with maps of its own and lets all of it go. Names of those that this kernel has loaded.

    Raises KernelError with the verifier's words when one is missing that is not optional.
    """
    maps: dict[str, int] = {}
    programs: dict[str, int] = {}
    try:
        for spec in sorted(image.maps, key=lambda m: m.type == _ARRAY_OF_MAPS):
            maps[spec.name] = _create(spec, maps, {"events": os.sysconf("SC_PAGESIZE")})
        programs = _load_programs(image, maps)
        return frozenset(programs)
    finally:
        for fd in (*maps.values(), *programs.values()):
            os.close(fd)


def inspect_hook(hook: Hook, instance: Instance) -> LinkState:
    pin, program = _pin(instance, "links", hook), _pin(instance, "programs", hook)
    if hook.optional and not program.exists():
        return LinkState(hook, absence=NOT_OFFERED)
    if not pin.exists():
        if hook.on_demand and program.exists():
            return LinkState(hook, absence="not needed now")
        return LinkState(hook, problem="not attached")
    link_fd = libbpf.obj_get(pin)
    try:
        return _compared(hook, libbpf.link_info(link_fd), program)
    finally:
        os.close(link_fd)


def _compared(hook: Hook, info: libbpf.LinkInfo, program: Path) -> LinkState:
    """What a link runs and where it hangs, against what is pinned."""
    if hook.is_cgroup and info.cgroup_id != cgroups.id_of(cgroups.root()):
        return LinkState(hook, info.prog_id, f"attached to cgroup {info.cgroup_id}, not to the root")
    if not program.exists():
        return LinkState(hook, info.prog_id, "its program is not pinned")
    fd = libbpf.obj_get(program)
    try:
        pinned = libbpf.prog_info(fd).id
    finally:
        os.close(fd)
    problem = "" if pinned == info.prog_id else f"runs program {info.prog_id}, not the pinned {pinned}"
    return LinkState(hook, info.prog_id, problem)


def inspect(instance: Instance) -> list[LinkState]:
    """What the kernel says about every hook of this instance."""
    return [inspect_hook(hook, instance) for hook in HOOKS]


def is_loaded(instance: Instance) -> bool:
    """Every link exists, runs our program, and hangs at the root cgroup."""
    return instance.pins.exists() and all(not state.problem for state in inspect(instance))


def unload(instance: Instance) -> None:
    """Ends enforcement: links first, then programs and maps."""
    _unmark(instance)
    for directory in ("links", "devices", "programs", "maps"):
        path = instance.pins / directory
        if path.is_dir():
            for pin in path.iterdir():
                pin.unlink()
            path.rmdir()
    with suppress(FileNotFoundError):
        instance.pins.rmdir()
