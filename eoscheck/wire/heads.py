"""Produce requests whose heads were read before: on one connection only the records differ.

Reading a head anew for each batch was the most of what reading cost.
"""

from __future__ import annotations

import struct

import msgspec

from eoscheck.wire.produce import Produce, producer_of, sized
from eoscheck.wire.request import Request

_SIZE_AND_NUMBER = struct.Struct(">i4xi")
_KIND_AT, _HEAD_AT = 4, 12  # API key and version; what is behind the correlation id
_NO_TAGS = bytes(3)  # of the partition, the topic, the request
_MOST = 256


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    kind: bytes
    flexible: bool
    request: Request


class ProduceHeads:
    """Of one connection, those of requests for one partition."""

    def __init__(self) -> None:
        self._heads: dict[bytes, _Head] = {}
        self._lengths: set[int] = set()

    def read(self, frame: bytes) -> Request | None:
        """As it would be read from its first byte on; None where that has to be done."""
        for length in self._lengths:
            end = _HEAD_AT + length
            known = self._heads.get(frame[_HEAD_AT:end])
            if known is not None and frame.startswith(known.kind, _KIND_AT):
                try:
                    return _again(known, frame, end)
                except (IndexError, ValueError, struct.error):
                    return None
        return None

    def learn(self, frame: bytes, request: Request, produce: Produce) -> None:
        at = produce.records_at
        if at is None:
            return
        if len(self._heads) == _MOST:
            self._heads.clear()
            self._lengths.clear()
        self._lengths.add(at - _HEAD_AT)
        self._heads[frame[_HEAD_AT:at]] = _Head(
            kind=frame[_KIND_AT : _KIND_AT + 4], flexible=produce.flexible, request=request
        )


def _again(known: _Head, frame: bytes, at: int) -> Request | None:
    size, records = sized(frame, at, known.flexible)
    behind = _NO_TAGS if known.flexible else b""
    if len(frame) != records + size + len(behind) or not frame.endswith(behind):
        return None
    producer_id, epoch = producer_of(frame, records, size)
    size, number = _SIZE_AND_NUMBER.unpack_from(frame)
    return msgspec.structs.replace(
        known.request,
        size=size,
        correlation_id=number,
        producer_id=producer_id,
        producer_epoch=epoch,
    )
