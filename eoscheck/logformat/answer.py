"""The answer to a Fetch request, as bytes: what it says of each partition, and its batches.

Kafka's `FetchResponse.json`, the flexible versions that name a topic (12) or its id (13 to 18).
Read here rather than by a client, which would copy the batches.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from eoscheck.logformat.flexible import read_uvarint, skip_tags

BY_NAME = 12
BY_ID = 13

_LENGTH = struct.Struct(">i").unpack_from
_PARTITION = struct.Struct(">ihqqq").unpack_from
_ABORTED = struct.Struct(">qq").unpack_from
_BATCH = struct.Struct(">qiibIhi").unpack_from
"""base offset, length, leader epoch, magic, CRC, attributes, last offset delta"""
_BEFORE_LENGTH = 12
_SHORTEST = 14
"""Of a message in the formats before 2, after its length."""


class BrokenAnswerError(ValueError):
    """Bytes that are no answer to a Fetch request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartitionAnswer:
    """What a broker says of one partition. `error` is Kafka's code, 0 for none."""

    partition: int
    error: int
    high_watermark: int
    last_stable_offset: int
    log_start_offset: int
    aborted: list[tuple[int, int]]
    records: memoryview


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    correlation_id: int
    throttle_ms: int
    error: int
    partitions: list[PartitionAnswer]


def read_answer(data: memoryview, *, version: int) -> Answer:
    """Reads an answer without its length; `records` are views of `data`, not copies.

    Raises BrokenAnswerError for anything else.
    """
    try:
        return _read(data, version=version)
    except (struct.error, IndexError, ValueError) as error:
        raise BrokenAnswerError(f"no answer to a Fetch request: {error}") from error


def next_offset(records: memoryview) -> int | None:
    """The offset after the last whole batch; None where there is no whole batch."""
    position, size, found = 0, len(records), None
    while position + _BEFORE_LENGTH + _SHORTEST <= size:
        base, length, _epoch, magic, _crc, _attributes, delta = (
            _BATCH(records, position)
            if position + 27 <= size
            else (*_OLD(records, position), 0, 0, 0)
        )
        if length < _SHORTEST or position + _BEFORE_LENGTH + length > size:
            break
        # A message of an older format bears its own offset; a compressed one that of its last.
        last = base + delta if magic >= 2 else base
        if delta >= 0:
            found = last + 1 if found is None else max(found, last + 1)
        position += _BEFORE_LENGTH + length
    return found


_OLD = struct.Struct(">qiib").unpack_from


def _read(data: memoryview, *, version: int) -> Answer:
    correlation_id = _LENGTH(data, 0)[0]
    at = skip_tags(data, 4)
    throttle_ms, error, _session = struct.unpack_from(">ihi", data, at)
    at += 10
    partitions: list[PartitionAnswer] = []
    topics, at = _count(data, at)
    for _ in range(topics):
        if version >= BY_ID:
            at += 16
        else:
            length, at = read_uvarint(data, at)
            at += max(0, length - 1)
        found, at = _count(data, at)
        for _ in range(found):
            part, at = _partition(data, at)
            partitions.append(part)
        at = skip_tags(data, at)
    return Answer(
        correlation_id=correlation_id,
        throttle_ms=throttle_ms,
        error=error,
        partitions=partitions,
    )


def _partition(data: memoryview, at: int) -> tuple[PartitionAnswer, int]:
    number, error, high_watermark, stable, start = _PARTITION(data, at)
    at += 30
    listed, at = _count(data, at)
    aborted = []
    for _ in range(listed):
        aborted.append(_ABORTED(data, at))
        at = skip_tags(data, at + 16)
    at += 4  # the preferred replica: only given to clients that say where they stand
    length, at = read_uvarint(data, at)
    end = at + max(0, length - 1)
    if end > len(data):
        raise BrokenAnswerError(f"records end {end - len(data)} bytes after the answer")
    records = data[at:end]
    return (
        PartitionAnswer(
            partition=number,
            error=error,
            high_watermark=high_watermark,
            last_stable_offset=stable,
            log_start_offset=start,
            aborted=aborted,
            records=records,
        ),
        skip_tags(data, end),
    )


def _count(data: memoryview, at: int) -> tuple[int, int]:
    """The length of a compact array (0 where it is null), checked against the bytes left."""
    length, at = read_uvarint(data, at)
    if length - 1 > len(data) - at:
        raise BrokenAnswerError(f"an array of {length - 1} in {len(data) - at} bytes")
    return max(0, length - 1), at
