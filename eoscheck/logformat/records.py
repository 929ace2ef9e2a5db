"""Decodes the records of one batch in plain Python: for single batches, and as the reference."""

from __future__ import annotations

from typing import NamedTuple

from eoscheck.logformat.batches import Batches
from eoscheck.logformat.decompress import decompress
from eoscheck.logformat.headers import Readable, read_varint
from eoscheck.logformat.layout import (
    HEADER,
    LOG_APPEND_TIME,
    RECORDS_START,
    SHORTEST_RECORD,
)


class Record(NamedTuple):
    """`timestamp` in milliseconds of Unix time; names of headers as they are, in bytes."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[bytes, bytes | None]]


class _BrokenError(ValueError):
    """Bytes that are no records."""


def read_records(data: Readable, batches: Batches, row: int) -> list[Record] | None:
    """The records of batch `row` of what `read_batches(data)` found, control records as well.

    None where they cannot be read: an older format, a broken or oversized compressed stream, and
    lengths, offsets or a count that do not agree. A CRC that does not match is no hindrance.
    """
    view = memoryview(data)
    start, end = int(batches.start[row]), int(batches.end[row])
    if end - start < RECORDS_START or view[start + 16] != 2:
        return None
    header = HEADER.unpack_from(view, start)
    attributes, last_delta, first, latest = header[5:9]
    count = int(batches.records[row])
    found = view[start + RECORDS_START : end]
    if batches.codec[row]:
        unpacked = decompress(found, int(batches.codec[row]))
        if unpacked is None:
            return None
        found = unpacked.data
    payload = bytes(found)  # quicker to look into than a view
    if not 0 <= count * SHORTEST_RECORD <= len(payload):
        return None
    fixed = latest if attributes & LOG_APPEND_TIME else None
    try:
        return _records(payload, header[0], last_delta, first, fixed, count)
    except _BrokenError:
        return None


def record_at(
    data: memoryview, at: int
) -> tuple[bytes | None, bytes | None, list[tuple[bytes, bytes | None]]]:
    """Key, value and headers of the record that begins there, known to be whole."""
    length, at = read_varint(data, at, len(data))
    end = at + length
    _time, at = _varlong(data, at + 1, end)
    _delta, at = _varint(data, at, end)
    key, at = _bytes(data, at, end)
    value, at = _bytes(data, at, end)
    headers, _at = _headers(data, at, end)
    return key, value, headers


def _records(
    data: bytes, base: int, last_delta: int, first: int, fixed: int | None, count: int
) -> list[Record]:
    found: list[Record] = []
    at, before = 0, -1
    for _ in range(count):
        length, at = _varint(data, at, len(data))
        end = at + length
        if length < SHORTEST_RECORD - 1 or end > len(data):
            raise _BrokenError
        time, at = _varlong(data, at + 1, end)
        delta, at = _varint(data, at, end)
        if not before < delta <= last_delta:
            raise _BrokenError
        before = delta
        key, at = _bytes(data, at, end)
        value, at = _bytes(data, at, end)
        headers, at = _headers(data, at, end)
        if at != end:
            raise _BrokenError
        timestamp = first + time if fixed is None else fixed
        found.append(Record(base + delta, timestamp, key, value, headers))
    if at != len(data):
        raise _BrokenError
    return found


def _headers(
    data: bytes | memoryview, at: int, end: int
) -> tuple[list[tuple[bytes, bytes | None]], int]:
    count, at = _varint(data, at, end)
    if not 0 <= count <= end - at:
        raise _BrokenError
    found = []
    for _ in range(count):
        name, at = _bytes(data, at, end)
        content, at = _bytes(data, at, end)
        if name is None:
            raise _BrokenError
        found.append((name, content))
    return found, at


def _bytes(data: bytes | memoryview, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at, end)
    if length == -1:
        return None, at
    if length < 0 or at + length > end:
        raise _BrokenError
    return bytes(data[at : at + length]), at + length


def _varint(data: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    if at + 1 < end:  # nearly all are of one byte or two
        byte, second = data[at], data[at + 1]
        if byte < 0x80:
            return (byte >> 1) ^ -(byte & 1), at + 1
        if second < 0x80:
            value = byte & 0x7F | second << 7
            return (value >> 1) ^ -(value & 1), at + 2
    number, at = read_varint(data, at, end)
    if at < 0:
        raise _BrokenError
    return number, at


def _varlong(data: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 0xFFFFFFFFFFFFFFFF
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise _BrokenError
