"""Decompresses the records of a batch, whatever its bytes are, within a bound."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
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
    for size in (min(largest, max(_SMALLEST, _FIRST_GUESS * len(data))), largest):
        # Only the pages that are written become real: the large one costs nothing by itself.
        output = np.empty(size, dtype=np.uint8)
        written = decompress_into(data, codec, output)
        if written is not None:
            return output[:written]
    return None


def decompress_into(data: memoryview, codec: int, output: NDArray[np.uint8]) -> int | None:
    """How many bytes it wrote to `output`; None where it is too small, or the stream broken."""
    try:
        if codec == _SNAPPY:
            return _snappy(data, output)
        return int(_decoders()[codec](data, output))
    except ModuleNotFoundError:
        raise
    except Exception:  # noqa: BLE001 - whatever a decoder says of bytes that are not its own
        return None


@cache
def _decoders() -> dict[int, Callable[[Any, Any], int]]:
    import cramjam

    return {
        _GZIP: cramjam.gzip.decompress_into,
        _LZ4: cramjam.lz4.decompress_into,
        _ZSTD: cramjam.zstd.decompress_into,
    }


def _snappy(data: memoryview, output: NDArray[np.uint8]) -> int | None:
    """One raw block, as librdkafka writes it, or Java's stream of blocks with their lengths."""
    from cramjam import snappy

    written = 0
    for block in _blocks(data):
        if snappy.decompress_raw_len(block) > len(output) - written:
            return None
        written += snappy.decompress_raw_into(block, output[written:].data)
    return written


def _blocks(data: memoryview) -> Iterator[memoryview]:
    if data[: len(_XERIAL)] != _XERIAL:
        yield data
        return
    at = len(_XERIAL) + 8
    while at < len(data):
        (length,) = _BLOCK.unpack_from(data, at)
        at += _BLOCK.size
        if at + length > len(data):
            raise ValueError("a block ends after its stream")
        yield data[at : at + length]
        at += length
