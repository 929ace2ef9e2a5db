"""A Produce request's head, read beside its records: they are not copied.

kafka-python's codec copies them.
"""

from __future__ import annotations

import struct
from uuid import UUID

import msgspec

from eoscheck.wire.varint import read_uvarint, skip_tags

_WITH_TRANSACTIONAL_ID, _FLEXIBLE, _BY_ID, _NEWEST = 3, 9, 13, 13
_ACKS = struct.Struct(">hi")  # and the time-out
_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_UUID = 16


class Produce(msgspec.Struct, frozen=True, kw_only=True):
    """`topics`: names, from version 13 ids."""

    transactional_id: str | None
    acks: int
    topics: tuple[UUID | str, ...]


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
    count, at = _count(frame, at, flexible)
    for _ in range(count):
        topic: UUID | str
        if version >= _BY_ID:
            topic = UUID(bytes=frame[at : at + _UUID])
            at += _UUID
        else:
            name, at = _string(frame, at, flexible)
            topic = name or ""
        at = _past_partitions(frame, at, flexible)
        topics.append(topic)
    return Produce(transactional_id=transactional_id, acks=acks, topics=tuple(topics))


def _past_partitions(frame: bytes, at: int, flexible: bool) -> int:
    count, at = _count(frame, at, flexible)
    for _ in range(count):
        size, at = _count(frame, at + _INT.size, flexible)
        at += size
        if flexible:
            at = skip_tags(frame, at)
    return skip_tags(frame, at) if flexible else at


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
