"""A Produce request's head, read beside its records: they are not copied.

kafka-python's codec copies them.
"""

from __future__ import annotations

import struct
from uuid import UUID

import msgspec

from eoscheck.logformat.flexible import read_uvarint, skip_tags

_WITH_TRANSACTIONAL_ID, _FLEXIBLE, _BY_ID, _NEWEST = 3, 9, 13, 13
_ACKS = struct.Struct(">hi")  # and the time-out
_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_UUID = 16
_MAGIC_AT, _MAGIC = 16, 2
_PRODUCER_AT, _PRODUCER = 43, struct.Struct(">qh")
_BATCH_HEAD = 61


class Produce(msgspec.Struct, frozen=True, kw_only=True):
    """`topics`: names, from version 13 ids. The producer is that of the first batch; None where it
    has none (it is not idempotent), or there is no batch of format 2."""

    transactional_id: str | None
    acks: int
    topics: tuple[UUID | str, ...]
    producer_id: int | None = None
    producer_epoch: int | None = None


def read_produce(frame: bytes, at: int, *, version: int) -> Produce:
    """`at`: behind the client id. ProduceRequest.json, versions 3 to 13.

    Raises ValueError for another version; struct.error, IndexError or UnicodeDecodeError where the
    bytes are not as it says.
    """
    if not _WITH_TRANSACTIONAL_ID <= version <= _NEWEST:
        raise ValueError(f"Produce version {version} is not known")
    flexible = version >= _FLEXIBLE
    if flexible:
        at = skip_tags(frame, at)
    transactional_id, at = _string(frame, at, flexible)
    acks, _ = _ACKS.unpack_from(frame, at)
    at += _ACKS.size
    topics: list[UUID | str] = []
    batches: list[int] = []
    count, at = _count(frame, at, flexible)
    for _ in range(count):
        topic: UUID | str
        if version >= _BY_ID:
            topic = UUID(bytes=frame[at : at + _UUID])
            at += _UUID
        else:
            name, at = _string(frame, at, flexible)
            topic = name or ""
        at = _past_partitions(frame, at, flexible, batches)
        topics.append(topic)
    producer_id, epoch = _producer(frame, batches[0]) if batches else (None, None)
    return Produce(
        transactional_id=transactional_id,
        acks=acks,
        topics=tuple(topics),
        producer_id=producer_id,
        producer_epoch=epoch,
    )


def _past_partitions(frame: bytes, at: int, flexible: bool, batches: list[int]) -> int:
    """`batches` is given where the records begin that hold a batch's head."""
    count, at = _count(frame, at, flexible)
    for _ in range(count):
        size, at = _count(frame, at + _INT.size, flexible)
        if size >= _BATCH_HEAD:
            batches.append(at)
        at += size
        if flexible:
            at = skip_tags(frame, at)
    return skip_tags(frame, at) if flexible else at


def _producer(frame: bytes, batch: int) -> tuple[int | None, int | None]:
    """Of a batch of format 2 (RecordBatch: the magic byte, producer id and epoch)."""
    if frame[batch + _MAGIC_AT] != _MAGIC:
        return None, None
    producer_id, epoch = _PRODUCER.unpack_from(frame, batch + _PRODUCER_AT)
    return (None, None) if producer_id < 0 else (producer_id, epoch)


def _count(frame: bytes, at: int, flexible: bool) -> tuple[int, int]:
    """Of an array or of bytes; 0 for null."""
    if flexible:
        count, at = read_uvarint(frame, at)
        return max(count - 1, 0), at
    return max(_INT.unpack_from(frame, at)[0], 0), at + _INT.size


def _string(frame: bytes, at: int, flexible: bool) -> tuple[str | None, int]:
    if flexible:
        length, at = read_uvarint(frame, at)
        length -= 1
    else:
        length = _SHORT.unpack_from(frame, at)[0]
        at += _SHORT.size
    if length < 0:
        return None, at
    return frame[at : at + length].decode(), at + length
