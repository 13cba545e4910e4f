"""A ring buffer with a kernel program of a few instructions that writes into it what a test wants to read.

The program copies its packet into the ring; it runs by BPF_PROG_TEST_RUN, as often as asked.
"""

import ctypes
import os
import struct
from contextlib import contextmanager

from landfast import event
from landfast_agent import libbpf
from landfast_agent.ring import Ring

_RINGBUF, _SCHED_CLS, _TEST_RUN = 27, 3, 10
_SYS_BPF = 321
_LOAD_BYTES, _OUTPUT, _RESERVE, _DISCARD = 26, 130, 131, 133
_ROOM = 256  # of the stack
_ATTRIBUTES = struct.Struct("=IIIIQQII40x")  # the `test` member of union bpf_attr


def _insn(code, dst=0, src=0, offset=0, immediate=0):
    return struct.pack("=BBhi", code, src << 4 | dst, offset, immediate)


def _map(dst, fd):
    return _insn(0x18, dst, 1, 0, fd) + _insn(0)


def _move(dst, src):
    return _insn(0xBF, dst, src)


def _set(dst, value):
    return _insn(0xB7, dst, 0, 0, value)


def _call(helper):
    return _insn(0x85, 0, 0, 0, helper)


_EXIT = _insn(0x95)
_RETURN = _set(0, 0) + _EXIT


def _output(ring, size, flags):
    """bpf_skb_load_bytes(skb, 0, stack, size); bpf_ringbuf_output(ring, stack, size, flags)"""
    stack = _move(3, 10) + _insn(0x07, 3, 0, 0, -_ROOM)
    load = _set(2, 0) + stack + _set(4, size) + _call(_LOAD_BYTES)
    unread = _insn(0x55, 0, 0, 7, 0)  # the packet is shorter: write nothing
    write = _map(1, ring) + _move(2, 10) + _insn(0x07, 2, 0, 0, -_ROOM) + _set(3, size) + _set(4, flags)
    return load + unread + write + _call(_OUTPUT) + _EXIT


def _discard(ring, size):
    """bpf_ringbuf_discard(bpf_ringbuf_reserve(ring, size, 0), 0)"""
    reserve = _map(1, ring) + _set(2, size) + _set(3, 0) + _call(_RESERVE)
    return reserve + _insn(0x15, 0, 0, 3, 0) + _move(1, 0) + _set(2, 0) + _call(_DISCARD) + _RETURN


class Writer:
    """Writes into one ring. `flags` of a record: 0 as the kernel thinks fit, 1 no wake-up, 2 always."""

    def __init__(self, ring_fd):
        self._ring, self._programs = ring_fd, {}

    def write(self, record, flags=0, repeat=1):
        """Whether there was room for the record (for the last of `repeat` times)."""
        name = "output", len(record), flags
        return self._run(name, lambda: _output(self._ring, len(record), flags), record, repeat) == 0

    def discard(self, size):
        self._run(("discard", size, 0), lambda: _discard(self._ring, size), bytes(64), 1)

    def _run(self, name, code, packet, repeat):
        if name not in self._programs:
            self._programs[name] = libbpf.prog_load(_SCHED_CLS, name[0], code(), licence="GPL")
        data = ctypes.create_string_buffer(packet, len(packet))
        attributes = bytearray(_ATTRIBUTES.size)
        values = self._programs[name], 0, len(packet), 0, ctypes.addressof(data), 0, repeat, 0
        _ATTRIBUTES.pack_into(attributes, 0, *values)
        shared = (ctypes.c_char * len(attributes)).from_buffer(attributes)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(_SYS_BPF, _TEST_RUN, shared, len(attributes)):
            raise OSError(ctypes.get_errno(), "BPF_PROG_TEST_RUN")
        return _ATTRIBUTES.unpack(attributes)[1]

    def close(self):
        for fd in self._programs.values():
            os.close(fd)


@contextmanager
def ring_and_writer(size=1 << 16):
    fd = libbpf.map_create(_RINGBUF, "lf_test_ring", key_size=0, value_size=0, max_entries=size)
    ring, writer = Ring(os.dup(fd)), Writer(fd)
    try:
        yield ring, writer
    finally:
        ring.close()
        writer.close()
        os.close(fd)


def numbered(number, **fields):
    """A record that can be told from the others by its cookie."""
    return event.pack(cookie=number, **fields)
