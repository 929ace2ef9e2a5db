"""A Produce request's head, read beside its records; the error of an answer about one partition.

kafka-python's codec copies the records, and makes objects of all that an answer says.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
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
    has none (it is not idempotent), or there is no batch of format 2. `records_at`: where the size
    of its records stands, if it is of one partition."""

    flexible: bool
    transactional_id: str | None
    acks: int
    topics: tuple[UUID | str, ...]
    producer_id: int | None = None
    producer_epoch: int | None = None
    records_at: int | None = None


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
    sizes: list[int] = []
    count, at = sized(frame, at, flexible)
    for _ in range(count):
        topic: UUID | str
        if version >= _BY_ID:
            topic = UUID(bytes=frame[at : at + _UUID])
            at += _UUID
        else:
            name, at = _string(frame, at, flexible)
            topic = name or ""
        at = _past_partitions(frame, at, flexible, sizes)
        topics.append(topic)
    producer_id, epoch = _first_producer(frame, sizes, flexible)
    return Produce(
        flexible=flexible,
        transactional_id=transactional_id,
        acks=acks,
        topics=tuple(topics),
        producer_id=producer_id,
        producer_epoch=epoch,
        records_at=sizes[0] if len(sizes) == 1 else None,
    )


def sole_error(frame: bytes, at: int, *, version: int) -> int | None:
    """The error code in the answer about one partition; None where it is about more, or none.
    `at`: behind the correlation id. ProduceResponse.json, versions 0 to 13. Raises as
    `read_produce`."""
    flexible = version >= _FLEXIBLE
    if flexible:
        at = skip_tags(frame, at)
    topics, at = sized(frame, at, flexible)
    if topics != 1:
        return None
    at = at + _UUID if version >= _BY_ID else _string(frame, at, flexible)[1]
    partitions, at = sized(frame, at, flexible)
    if partitions != 1:
        return None
    code: int = _SHORT.unpack_from(frame, at + _INT.size)[0]
    return code


def _past_partitions(frame: bytes, at: int, flexible: bool, sizes: list[int]) -> int:
    """`sizes` is given where the sizes of records stand."""
    count, at = sized(frame, at, flexible)
    for _ in range(count):
        at += _INT.size
        sizes.append(at)
        size, at = sized(frame, at, flexible)
        at += size
        if flexible:
            at = skip_tags(frame, at)
    return skip_tags(frame, at) if flexible else at


def _first_producer(
    frame: bytes, sizes: Sequence[int], flexible: bool
) -> tuple[int | None, int | None]:
    """Of the first records that hold a batch's head."""
    for at in sizes:
        size, records = sized(frame, at, flexible)
        if size >= _BATCH_HEAD:
            return producer_of(frame, records, size)
    return None, None


def producer_of(frame: bytes, batch: int, size: int) -> tuple[int | None, int | None]:
    """Of a batch of format 2 (RecordBatch: the magic byte, producer id and epoch)."""
    if size < _BATCH_HEAD or frame[batch + _MAGIC_AT] != _MAGIC:
        return None, None
    producer_id, epoch = _PRODUCER.unpack_from(frame, batch + _PRODUCER_AT)
    return (None, None) if producer_id < 0 else (producer_id, epoch)


def sized(frame: bytes, at: int, flexible: bool) -> tuple[int, int]:
    """The size of an array or of bytes, 0 for null; and where they begin."""
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
