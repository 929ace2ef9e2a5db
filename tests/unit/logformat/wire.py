"""Record batches made byte by byte, after the specification: what the decoders are tested with."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import cramjam
import crc32c

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CODECS = (NONE, GZIP, SNAPPY, LZ4, ZSTD)
XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"


class Written(NamedTuple):
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    delta: int | None = None
    time: int = 0


def varint(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    rest &= 2**64 - 1
    out = bytearray()
    while rest >= 0x80:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def field(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def record(written: Written, delta: int) -> bytes:
    body = b"\x00" + varint(written.time) + varint(delta)
    body += field(written.key) + field(written.value) + varint(len(written.headers))
    for name, content in written.headers:
        body += field(name) + field(content)
    return varint(len(body)) + body


def compress(data: bytes, codec: int, *, xerial: bool = False) -> bytes:
    match codec:
        case 1:
            return bytes(cramjam.gzip.compress(data))
        case 2 if xerial:
            blocks = [data[at : at + 100] for at in range(0, len(data), 100)]
            packed = [bytes(cramjam.snappy.compress_raw(block)) for block in blocks]
            return XERIAL + b"".join(struct.pack(">i", len(each)) + each for each in packed)
        case 2:
            return bytes(cramjam.snappy.compress_raw(data))
        case 3:
            return bytes(cramjam.lz4.compress(data))
        case 4:
            return bytes(cramjam.zstd.compress(data))
    return data


def batch(
    records: Sequence[Written] = (Written(),),
    *,
    base: int = 0,
    codec: int = NONE,
    producer: int = -1,
    epoch: int = -1,
    sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
    attributes: int = 0,
    first: int = 1_000,
    latest: int = 2_000,
    last_delta: int | None = None,
    count: int | None = None,
    payload: bytes | None = None,
    xerial: bool = False,
) -> bytes:
    deltas = [each.delta if each.delta is not None else at for at, each in enumerate(records)]
    if payload is None:
        plain = b"".join(map(record, records, deltas))
        payload = compress(plain, codec, xerial=xerial)
    flags = attributes | codec | (transactional << 4) | (control << 5)
    checked = struct.pack(
        ">hiqqqhii",
        flags,
        last_delta if last_delta is not None else max(deltas, default=0),
        first,
        latest,
        producer,
        epoch,
        sequence,
        count if count is not None else len(records),
    )
    checked += payload
    tail = struct.pack(">ibI", 0, 2, crc32c.crc32c(checked)) + checked
    return struct.pack(">qi", base, len(tail)) + tail


def marker(*, commit: bool, base: int = 0, coordinator: int = 0, **settings: Any) -> bytes:
    written = Written(
        key=struct.pack(">hh", 0, int(commit)), value=struct.pack(">hi", 0, coordinator)
    )
    return batch([written], base=base, transactional=True, control=True, **settings)


def old_message(*, base: int = 0) -> bytes:
    """Format 1, as a 3.9 broker may still hold it."""
    body = struct.pack(">IbbqiI", 0, 1, 0, 1_000, -1, 1) + b"x"
    return struct.pack(">qi", base, len(body)) + body
