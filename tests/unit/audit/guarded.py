"""Memory that ends where no page is: reading one byte too far ends the process, and the test."""

from __future__ import annotations

import ctypes
import mmap


class GuardedMemory:
    """Puts bytes directly before a page that may not be touched."""

    def __init__(self, room: int) -> None:
        pages = -(-room // mmap.PAGESIZE)
        self._map = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
        self._end = pages * mmap.PAGESIZE
        libc = ctypes.CDLL(None, use_errno=True)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        guard = ctypes.c_void_p(start + self._end)
        if libc.mprotect(guard, ctypes.c_size_t(mmap.PAGESIZE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")

    def put(self, data: bytes) -> memoryview:
        start = self._end - len(data)
        self._map[start : self._end] = data
        return memoryview(self._map)[start : self._end]
