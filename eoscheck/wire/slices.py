"""Short turns on a processor for a thread that is woken often and then has little to do.

A proxy between busy processes waits mostly for a core. Linux (6.12 and newer) lets a woken thread
whose slice is shorter go before the one that runs: it is given no more of the processor, only
sooner. That takes no rights. Where it cannot be asked for, nothing is different.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from collections.abc import Mapping
from types import MappingProxyType

_SLICE_NS = 100_000
"""The shortest that Linux gives."""
_ATTRIBUTES = struct.Struct("IIQiIQQQ")
"""sched_attr (include/uapi/linux/sched/types.h, its first version): size, policy, flags, nice,
priority, runtime (of a normal thread: its slice), deadline, period."""
_FLAGS_AT, _RUNTIME_AT = 2, 5
_NORMAL = 0
_RESET_ON_FORK = 1
"""Threads and processes that it starts have what they would have had without."""
_SET_AND_GET: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"x86_64": (314, 315), "aarch64": (274, 275)}
)
"""System calls by machine: sched_setattr, sched_getattr."""


def ask_for_short_slices() -> bool:
    """For the calling thread, whose policy and niceness stay. Whether the kernel took the
    request; an older one takes it, and does nothing."""
    numbers = _SET_AND_GET.get(platform.machine())
    if sys.platform != "linux" or numbers is None:
        return False
    set_attributes, get_attributes = numbers
    call = ctypes.CDLL(None).syscall
    attributes = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if call(get_attributes, 0, attributes, _ATTRIBUTES.size, 0):
        return False
    fields = list(_ATTRIBUTES.unpack(attributes.raw))
    if fields[1] != _NORMAL:
        return False
    fields[_FLAGS_AT], fields[_RUNTIME_AT] = _RESET_ON_FORK, _SLICE_NS
    return not call(set_attributes, 0, _ATTRIBUTES.pack(*fields), 0)
