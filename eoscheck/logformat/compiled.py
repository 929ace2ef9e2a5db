"""The same as `headers` does, compiled. Imports numba: import this module only where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eoscheck.logformat.layout import (
    CODEC,
    CONTROL,
    DELETE_HORIZON,
    LENGTH_END,
    RECORDS_START,
    SHORTEST_OLD,
    TRANSACTIONAL,
)


def find_batches(
    data: NDArray[np.uint8], empty: Callable[[int], tuple[NDArray[Any], ...]]
) -> tuple[NDArray[Any], ...]:
    """The columns of `Batches`, in memory that `empty` gives."""
    columns = empty(_count(data))
    _fill(data, *columns)
    return columns


@njit(cache=True, nogil=True, inline="always")
def be16(data: Any, at: int) -> Any:
    return np.int64(np.int16((np.uint16(data[at]) << 8) | np.uint16(data[at + 1])))


@njit(cache=True, nogil=True, inline="always")
def be32(data: Any, at: int) -> Any:
    return np.int64(
        np.int32(
            (np.uint32(data[at]) << np.uint32(24))
            | (np.uint32(data[at + 1]) << np.uint32(16))
            | (np.uint32(data[at + 2]) << np.uint32(8))
            | np.uint32(data[at + 3])
        )
    )


@njit(cache=True, nogil=True, inline="always")
def be64(data: Any, at: int) -> Any:
    high = np.uint64(be32(data, at)) & np.uint64(0xFFFFFFFF)
    low = np.uint64(be32(data, at + 4)) & np.uint64(0xFFFFFFFF)
    return np.int64((high << np.uint64(32)) | low)


@njit(cache=True, nogil=True)
def varint(data: Any, at: int, end: int) -> Any:
    """A zigzag number of at most 32 bits and the position after it; position -1 where none is."""
    value = np.uint32(0)
    shift = np.uint32(0)
    while 0 <= at < end and shift < 35:
        byte = data[at]
        at += 1
        value |= np.uint32(byte & 0x7F) << shift if shift < 32 else np.uint32(0)
        if byte < 0x80:
            number = np.int64(value >> np.uint32(1)) ^ -np.int64(value & np.uint32(1))
            return number, at
        shift += np.uint32(7)
    return 0, -1


@njit(cache=True, nogil=True)
def _step(data: Any, at: int) -> int:
    """The end of the batch at `at`; 0 where no whole one follows, -1 for an impossible length."""
    size = len(data)
    if at + LENGTH_END + 5 > size:
        return 0
    length = be32(data, at + 8)
    least = RECORDS_START - LENGTH_END if np.int8(data[at + 16]) >= 2 else SHORTEST_OLD
    if length < least:
        return -1
    end = at + LENGTH_END + length
    return end if end <= size else 0


@njit(cache=True, nogil=True)
def _count(data: Any) -> int:
    at = found = 0
    while True:
        end = _step(data, at)
        if end == 0:
            return found
        found += 1
        if end < 0:
            return found
        at = end


@njit(cache=True, nogil=True)
def _marker(data: Any, at: int, end: int, count: int) -> tuple[int, int]:
    if count < 1:
        return 2, -1
    _number, at = varint(data, at, end)
    at = at + 1 if at >= 0 else at
    _number, at = varint(data, at, end)
    _number, at = varint(data, at, end)
    size, at = varint(data, at, end)
    if at < 0 or size < 4 or at + size > end:
        return 2, -1
    kind = be16(data, at + 2)
    if kind not in (0, 1):
        return 2, -1
    size, at = varint(data, at + size, end)
    if at < 0 or size < 6 or at + size > end:
        return kind, -1
    return kind, be32(data, at + 2)


@njit(cache=True, nogil=True)
def _fill(
    data: Any,
    start: Any,
    ends: Any,
    base_offset: Any,
    last_offset: Any,
    records: Any,
    producer_id: Any,
    epoch: Any,
    base_sequence: Any,
    transactional: Any,
    control: Any,
    codec: Any,
    first_timestamp: Any,
    max_timestamp: Any,
    coordinator_epoch: Any,
    intact: Any,
) -> None:
    at = 0
    for row in range(len(start)):
        end = _step(data, at)
        base = be64(data, at)
        readable = end > 0 and data[at + 16] == 2
        start[row] = at
        ends[row] = end if end > 0 else len(data)
        base_offset[row] = base
        last_offset[row] = base
        records[row] = 0
        producer_id[row] = -1
        epoch[row] = -1
        base_sequence[row] = -1
        transactional[row] = False
        control[row] = -1
        codec[row] = 0
        first_timestamp[row] = -1
        max_timestamp[row] = -1
        coordinator_epoch[row] = -1
        intact[row] = False
        if readable:
            attributes = be16(data, at + 21)
            delta = be32(data, at + 23)
            count = be32(data, at + 57)
            last_offset[row] = base + delta
            records[row] = count
            producer_id[row] = be64(data, at + 43)
            epoch[row] = be16(data, at + 51)
            base_sequence[row] = be32(data, at + 53)
            transactional[row] = (attributes & TRANSACTIONAL) != 0
            codec[row] = attributes & CODEC
            if attributes & DELETE_HORIZON == 0:
                first_timestamp[row] = be64(data, at + 27)
            max_timestamp[row] = be64(data, at + 35)
            intact[row] = base >= 0 and delta >= 0 and count >= 0 and base + delta >= 0
            if attributes & CONTROL:
                kind, coordinator = _marker(data, at + RECORDS_START, end, count)
                control[row] = kind
                coordinator_epoch[row] = coordinator
        at = end
