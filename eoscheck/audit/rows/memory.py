"""How much memory an audit may use, and for what."""

from __future__ import annotations

import psutil

from eoscheck.audit.rows.shuffle import Budget
from eoscheck.errors import UsageError

_MIB = 1024 * 1024
_INTERPRETER = 220 * _MIB
"""The process before an audit, with its libraries: of a larger one (a test runner, say) no more
than this counts as the audit's."""
_READING = 64 * _MIB
"""Answers under way, and what is made of them."""
_ROW_AT_WORK = 192
"""Bytes that the checks take for each row of the shard they work on."""
_SHARD_ROWS = 1 << 17
"""No more than the processor's caches are good for."""
_LEAST = 32 * _MIB


def budget(memory_mb: int) -> Budget:
    """Of `memory_mb` MiB in all, for one audit. Raises UsageError where that is too little."""
    base = min(_INTERPRETER, psutil.Process().memory_info().rss)
    room = memory_mb * _MIB - base - _READING
    if room < _LEAST:
        least = -(-(base + _READING + _LEAST) // _MIB)
        raise UsageError(f"{memory_mb} MB of memory are too few: give at least --memory {least}MB")
    shard_rows = min(_SHARD_ROWS, max(1 << 16, room // 3 // _ROW_AT_WORK))
    return Budget(rows_bytes=room // 2, shard_rows=shard_rows)
