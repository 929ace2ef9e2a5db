"""Messages of the formats before record batches (Kafka 0.11): sound, though not of format 2."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from eoscheck.logformat.batches import Batches

_MESSAGE = struct.Struct(">qiIb").unpack_from
"""offset, size, CRC-32 of what follows, magic"""
_CRC_END = 16


def are_old_format(data: bytes | memoryview, batches: Batches) -> NDArray[np.bool_]:
    """Which of the batches that are not intact are messages of format 0 or 1 whose CRC-32 matches;
    `batches` are what `read_batches(data)` found. A batch of format 2 whose magic was damaged is
    none: the CRC of the older formats covers other bytes, and is another sum."""
    found = np.zeros(len(batches), dtype=np.bool_)
    view = memoryview(data)
    for row in np.flatnonzero(~batches.intact).tolist():
        start, end = int(batches.start[row]), int(batches.end[row])
        if end - start <= _CRC_END:
            continue
        _offset, _size, crc, magic = _MESSAGE(view, start)
        found[row] = magic in (0, 1) and zlib.crc32(view[start + _CRC_END : end]) == crc
    return found
