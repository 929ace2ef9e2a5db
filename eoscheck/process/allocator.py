"""How glibc shares out memory among threads."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8
"""malloc.h of glibc."""


def share_arenas(*, most: int = 2) -> bool:
    """From now on at most so many heaps for all threads of this process; False where malloc is not
    glibc's.

    By default each thread is given one of up to 8 heaps a core, and what it frees is used again by
    threads of that heap only. Each run of a harness brings some dozens of new threads (librdkafka
    has several a client), and so its memory grew by some MB a run until all heaps had been as
    large as they ever get.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "gnu_get_libc_version"):
        return False
    return bool(libc.mallopt(_M_ARENA_MAX, most))
