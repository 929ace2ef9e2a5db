"""Reads the headers of a run of batches: compiled where numba is installed, the same without it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.logformat.batches import Batches, Control
from eoscheck.logformat.compiling import compiled_module, compiles, is_loaded
from eoscheck.logformat.layout import (
    CHECKED_FROM,
    CODEC,
    CONTROL,
    CRC_START,
    DELETE_HORIZON,
    HEADER,
    LENGTH_END,
    RECORDS_START,
    SHORTEST_OLD,
    TRANSACTIONAL,
)

Readable: TypeAlias = bytes | bytearray | memoryview
Columns: TypeAlias = tuple[NDArray[Any], ...]
FindBatches: TypeAlias = Callable[[NDArray[np.uint8], Callable[[int], Columns]], Columns]

_TYPES: dict[str, Any] = {
    "start": np.int64,
    "end": np.int64,
    "base_offset": np.int64,
    "last_offset": np.int64,
    "records": np.int32,
    "producer_id": np.int64,
    "epoch": np.int16,
    "base_sequence": np.int32,
    "transactional": np.bool_,
    "control": np.int8,
    "codec": np.int8,
    "first_timestamp": np.int64,
    "max_timestamp": np.int64,
    "coordinator_epoch": np.int32,
    "intact": np.bool_,
}
assert list(_TYPES) == [each.name for each in fields(Batches)]
_LITTLE = 1 << 20
"""Bytes that are read before numba would be loaded."""
_OLD = struct.Struct(">qiib")
_MARKER = struct.Struct(">hh")
_COORDINATOR = struct.Struct(">hi")


def checks_crc() -> bool:
    """Whether `read_batches` can check CRC-32C: it takes the package `crc32c` (extra `fast`)."""
    return _crc32c() is not None


def read_batches(
    data: Readable, *, check_crc: bool = True, compiled: bool | None = None
) -> Batches:
    """The whole batches in `data`; a part of one more at the end is left out.

    Nothing in the bytes makes it raise. `intact` is false for a batch whose CRC-32C does not match
    (unless `check_crc` is off or `checks_crc()` is false), whose header contradicts itself, or that
    is of an older format than 2. Behind a length that no batch can have nothing is found any more:
    the rest of the bytes is one row that is not intact.

    `compiled` chooses the implementation; None takes the compiled one where numba is installed, and
    loading it pays.
    """
    view = np.frombuffer(data, dtype=np.uint8)
    if compiled is None:
        compiled = is_loaded() or len(view) > _LITTLE
    find = _compiled() if compiled else None
    columns = find(view, _empty) if find is not None else _interpreted(memoryview(data))
    batches = Batches(**dict(zip(_TYPES, columns, strict=True)))
    if check_crc:
        _check(memoryview(data), batches)
    return batches


def _empty(rows: int) -> Columns:
    return tuple(np.empty(rows, dtype=kind) for kind in _TYPES.values())


@cache
def _compiled() -> FindBatches | None:
    if not compiles():
        return None
    found: FindBatches = compiled_module("eoscheck.logformat.compiled").find_batches
    return found


@cache
def _crc32c() -> Callable[[Any], int] | None:
    if find_spec("crc32c") is None:
        return None
    from crc32c import crc32c

    return crc32c


def _check(data: memoryview, batches: Batches) -> None:
    crc32c = _crc32c()
    if crc32c is None:
        return
    intact = batches.intact
    starts, ends = batches.start.tolist(), batches.end.tolist()
    expected = struct.Struct(">I").unpack_from
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if (
            end - start >= RECORDS_START
            and crc32c(data[start + CHECKED_FROM : end]) != expected(data, start + CRC_START)[0]
        ):
            intact[row] = False


def _interpreted(data: memoryview) -> Columns:
    rows = []
    at, size = 0, len(data)
    while at + _OLD.size <= size:
        base, length, _epoch, magic = _OLD.unpack_from(data, at)
        end = at + LENGTH_END + length
        least = RECORDS_START - LENGTH_END if magic >= 2 else SHORTEST_OLD
        if length < least:
            rows.append(_unreadable(at, size, base))
            break
        if end > size:
            break
        rows.append(_batch(data, at, end) if magic == 2 else _unreadable(at, end, base))
        at = end
    columns = zip(*rows, strict=True) if rows else ((),) * len(_TYPES)
    return tuple(
        np.array(column, dtype=kind) for column, kind in zip(columns, _TYPES.values(), strict=True)
    )


def _unreadable(start: int, end: int, base: int) -> tuple[Any, ...]:
    return (start, end, base, base, 0, -1, -1, -1, False, Control.DATA, 0, -1, -1, -1, False)


def _batch(data: memoryview, start: int, end: int) -> tuple[Any, ...]:
    (
        base,
        _length,
        _leader_epoch,
        _magic,
        _crc,
        attributes,
        delta,
        first,
        latest,
        producer,
        epoch,
        sequence,
        count,
    ) = HEADER.unpack_from(data, start)
    control, coordinator = Control.DATA, -1
    if attributes & CONTROL:
        control, coordinator = _marker(data, start + RECORDS_START, end, count)
    return (
        start,
        end,
        base,
        _wrapped(base + delta),
        count,
        producer,
        epoch,
        sequence,
        bool(attributes & TRANSACTIONAL),
        control,
        attributes & CODEC,
        -1 if attributes & DELETE_HORIZON else first,
        latest,
        coordinator,
        base >= 0 and delta >= 0 and count >= 0 and base + delta < 2**63,
    )


def _wrapped(number: int) -> int:
    """As 64-bit arithmetic has it."""
    return (number + 2**63) % 2**64 - 2**63


def _marker(data: memoryview, at: int, end: int, count: int) -> tuple[Control, int]:
    """Kind and coordinator epoch of a control batch (`ControlRecordType`, `EndTransactionMarker`).

    Length, attributes, time and offset stand before the key: a version and the kind.
    """
    if count < 1:
        return Control.OTHER, -1  # an emptied batch, which compaction keeps for its producer
    for skipped in (1, 0, 1, 1):  # varints but for the byte of attributes
        if not skipped:
            at += 1
            continue
        _number, at = read_varint(data, at, end)
    size, at = read_varint(data, at, end)
    if at < 0 or size < _MARKER.size or at + size > end:
        return Control.OTHER, -1
    _version, kind = _MARKER.unpack_from(data, at)
    if kind not in (Control.ABORT, Control.COMMIT):
        return Control.OTHER, -1
    size, at = read_varint(data, at + size, end)
    if at < 0 or size < _COORDINATOR.size or at + size > end:
        return Control(kind), -1
    return Control(kind), _COORDINATOR.unpack_from(data, at)[1]


def read_varint(data: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    """A zigzag number of at most 32 bits and the position after it; position -1 where none is."""
    value = shift = 0
    while 0 <= at < end and shift < 35:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 0xFFFFFFFF
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    return 0, -1
