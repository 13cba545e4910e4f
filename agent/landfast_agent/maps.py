"""The pinned maps of an instance, opened once, and the control block that switches policies."""

import ctypes
import mmap
import os
import threading
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import Self

from landfast_agent import libbpf
from landfast_agent.errors import KernelError, Unavailable
from landfast_agent.instance import Instance
from landfast_agent.layout import CONTROL

_COUNTER_VALUE = 8
_PER_STAGE, _CANARY = 8, 7  # LF_COUNTERS, LF_C_CANARY

_adding = threading.Lock()


class Control:
    """The control block, shared with the kernel by mmap: each field is read and written by one 64-bit access."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, mmap.PAGESIZE)

    def _field(self, name: str) -> ctypes.c_uint64:
        return ctypes.c_uint64.from_buffer(self._memory, CONTROL.offset(name))

    def get(self, name: str) -> int:
        return int(self._field(name).value)

    def set(self, name: str, value: int) -> None:
        self._field(name).value = value

    def add(self, name: str, bits: int) -> None:
        """Sets bits, and clears none that another thread sets at the same time."""
        with _adding:
            self.set(name, self.get(name) | bits)


class Maps:
    """Pinned maps by name. Raises Unavailable when this instance is not loaded."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._fds: dict[str, int] = {}

    def fd(self, name: str) -> int:
        """Descriptor of a map; kept open."""
        if name not in self._fds:
            self._fds[name] = self._open(name)
        return self._fds[name]

    def _open(self, name: str) -> int:
        path = self._instance.map(name)
        try:
            return libbpf.obj_get(path)
        except KernelError as error:
            if path.parent.is_dir():
                raise
            raise Unavailable(
                f"instance {self._instance.name} is not loaded ({path.parent} does not exist): "
                f"start it with `{self._instance.agent} run`"
            ) from error

    @cached_property
    def control(self) -> Control:
        return Control(self.fd("control"))

    def counters(self) -> list[int]:
        """Kernel counters summed over the CPUs: LF_COUNTERS per stage, then LF_FAILURES."""
        fd, cpus = self.fd("counters"), libbpf.possible_cpus()
        totals = []
        for index in range(libbpf.map_info(fd).max_entries):
            raw = libbpf.map_lookup(fd, index.to_bytes(4, "little"), _COUNTER_VALUE * cpus) or b""
            totals.append(sum(memoryview(raw).cast("Q")))
        return totals

    def count_canary(self, decisions: Mapping[int, int]) -> None:
        """Adds the canary's decisions, by stage, to a counter of their own, which only the daemon writes."""
        fd, cpus = self.fd("counters"), libbpf.possible_cpus()
        for stage, number in decisions.items():
            key = (stage * _PER_STAGE + _CANARY).to_bytes(4, "little")
            raw = bytearray(libbpf.map_lookup(fd, key, _COUNTER_VALUE * cpus) or bytes(_COUNTER_VALUE * cpus))
            values = memoryview(raw).cast("Q")
            values[0] += number
            libbpf.map_update(fd, key, bytes(raw))

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
