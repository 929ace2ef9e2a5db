"""Threads that come and go share their heaps, so that what one freed is there for the next."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

# Eight threads allocate at the same time; then glibc tells its heaps.
COUNT = """
import ctypes, sys, threading
from eoscheck.process.allocator import share_arenas
if sys.argv[1] == "shared":
    assert share_arenas(most=2)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_there = threading.Barrier(8)
def allocate():
    all_there.wait()
    libc.malloc(100_000)
    all_there.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is asked")
def test_threads_share_two_heaps_once_told_so() -> None:
    def heaps(how: str) -> int:
        told = subprocess.run(
            [sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True
        ).stdout
        return len(re.findall(r"<heap nr=", told))

    assert heaps("shared") <= 2 < heaps("as it is")
