"""Decompresses the records of a batch, whatever its bytes are, within a bound."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 256 * 1024 * 1024
"""Of one batch, decompressed. Brokers take batches of 1 MB, unless told otherwise."""
_FIRST_GUESS = 8
_SMALLEST = 64 * 1024
_XERIAL = b"\x82SNAPPY\x00"
"""What Java's snappy streams begin with; a version, a compatible version and blocks follow."""
_BLOCK = struct.Struct(">I")
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4


def decompresses() -> bool:
    """Whether batches can be decompressed: it takes the package `cramjam` (extra `fast`)."""
    return find_spec("cramjam") is not None


def decompress(data: memoryview, codec: int, *, largest: int = LARGEST) -> NDArray[np.uint8] | None:
    """The records of a batch; None for what is no such stream, or would become too large.

    Raises ModuleNotFoundError where `decompresses()` is false.
    """
    if codec == _SNAPPY:
        return _snappy(data, largest)
    into = _decoders().get(codec)
    if into is None:
        return None
    for size in (min(largest, max(_SMALLEST, _FIRST_GUESS * len(data))), largest):
        # Only the pages that are written become real: the large one costs nothing by itself.
        output = np.empty(size, dtype=np.uint8)
        try:
            return output[: into(data, output)]
        except Exception:  # noqa: BLE001, S112 - broken, or larger than the buffer: not told apart
            continue
    return None


@cache
def _decoders() -> dict[int, Callable[[Any, Any], int]]:
    import cramjam

    return {
        _GZIP: cramjam.gzip.decompress_into,
        _LZ4: cramjam.lz4.decompress_into,
        _ZSTD: cramjam.zstd.decompress_into,
    }


def _snappy(data: memoryview, largest: int) -> NDArray[np.uint8] | None:
    """One raw block, as librdkafka writes it, or Java's stream of blocks with their lengths."""
    from cramjam import snappy

    blocks = [data]
    if data[: len(_XERIAL)] == _XERIAL:
        blocks, at = [], len(_XERIAL) + 8
        while at < len(data):
            if at + _BLOCK.size > len(data):
                return None
            (length,) = _BLOCK.unpack_from(data, at)
            at += _BLOCK.size
            if at + length > len(data):
                return None
            blocks.append(data[at : at + length])
            at += length
    try:
        sizes = [snappy.decompress_raw_len(block) for block in blocks]
        if sum(sizes) > largest:
            return None
        output = np.empty(sum(sizes), dtype=np.uint8)
        at = 0
        for block, size in zip(blocks, sizes, strict=True):
            at += snappy.decompress_raw_into(block, output[at : at + size].data)
    except Exception:  # noqa: BLE001 - a broken block
        return None
    return output[:at]
