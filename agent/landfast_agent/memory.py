"""Keeping the daemon small: it runs on every host."""

import ctypes
import os

_M_ARENA_MAX = -8  # malloc.h


def be_frugal() -> None:
    """Before the large libraries are imported: one heap for all threads, and no threads for linear algebra."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Returns what was freed to the kernel, after work that took much for a short time."""
    ctypes.CDLL(None).malloc_trim(0)
