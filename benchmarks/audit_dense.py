"""Large topics of small records, written as ready-made batches: a client would take too long.

One producer without transactions. Keys are numbers of nine digits, or UUIDs as text, values are
empty, so that all records of a batch are of two sizes and numpy writes them at once.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from crc32c import crc32c
from kafka import errors as kafka_errors
from kafka.protocol.producer import ProduceRequest
from numpy.typing import NDArray

from benchmarks.audit_topics import Filled
from eoscheck.cluster import NewTopic, create_topics
from eoscheck.cluster.raw_client import RawClient, RawConnection
from eoscheck.errors import InfrastructureError
from eoscheck.logformat.layout import CHECKED_FROM, HEADER, LENGTH_END, RECORDS_START

FIRST = 10**8
"""The least number: all have nine digits."""
_BATCH = 8_000
"""Records: below 8192, the offset within a batch takes two bytes at most."""
_ONE_BYTE = 64
_TIMEOUT_S = 60.0
_PRODUCE_VERSION = 8
_ANSWER = struct.Struct(">iih")  # correlation id, one topic, the length of its name
_PARTITION = struct.Struct(">iih")  # one partition, its number, its error
_HEX = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), dtype=np.uint8).reshape(256, 2)
_DASHES = (8, 13, 18, 23)

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]


def fill_dense(
    client_config: Mapping[str, str],
    topic: str,
    *,
    records: int,
    uuids: bool = False,
    partitions: int = 4,
    duplicates: int = 0,
    gaps: int = 0,
    seed: int = 7,
) -> Filled:
    """Creates `topic` and writes the numbers from FIRST on, batches in turn to its partitions.

    Keys are the numbers, or with `uuids` UUIDs made of them. `duplicates` random numbers are
    written twice; `gaps` of the others are left out. Raises InfrastructureError where the
    cluster refuses a batch.
    """
    chance = random.Random(seed)
    create_topics(client_config, [NewTopic(name=topic, partitions=partitions)])
    chosen = [FIRST + n for n in chance.sample(range(1, records - 1), duplicates + gaps)]
    twice, missing = sorted(chosen[:duplicates]), sorted(chosen[duplicates:])
    with RawClient(client_config, timeout_s=_TIMEOUT_S) as client:
        writer = _Writer(client=client, topic=topic, leaders=client.leaders(topic).leaders)
        try:
            for number, batch in enumerate(_numbers(records, twice, missing)):
                keys = uuids_of(batch) if uuids else _digits(batch)
                writer.write(number % partitions, batch_of(keys))
        finally:
            writer.close()
    return Filled(
        topic=topic,
        committed=records - gaps + duplicates,
        aborted=0,
        duplicates=twice,
        gaps=[] if uuids else missing,
    )


def batch_of(keys: Bytes) -> bytes:
    """One batch of at most 8192 records with these keys (one a row) and empty values."""
    rows = len(keys)
    now = int(time.time() * 1000)
    delta = np.arange(rows)
    parts = [_records(keys[:_ONE_BYTE], delta[:_ONE_BYTE], 1)]
    if rows > _ONE_BYTE:
        parts.append(_records(keys[_ONE_BYTE:], delta[_ONE_BYTE:], 2))
    batch = bytearray(RECORDS_START) + b"".join(parts)
    length, none = len(batch) - LENGTH_END, -1
    header = (0, length, -1, 2, 0, 0, rows - 1, now, now, none, none, none, rows)
    HEADER.pack_into(batch, 0, *header)
    struct.pack_into(">I", batch, 17, crc32c(memoryview(batch)[CHECKED_FROM:]))
    return bytes(batch)


def uuids_of(numbers: Integers) -> Bytes:
    """A different UUID for each number, as 36 bytes of text."""
    mixed = np.empty((len(numbers), 2), dtype=">u8")
    mixed[:, 0] = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # odd: one to one
    mixed[:, 1] = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0xF39CC0605CEDC835)
    text = _HEX[mixed.view(np.uint8)].reshape(len(numbers), 32)
    keys = np.full((len(numbers), 36), ord("-"), dtype=np.uint8)
    keys[:, [n for n in range(36) if n not in _DASHES]] = text
    return keys


def _numbers(records: int, twice: list[int], missing: list[int]) -> Iterator[Integers]:
    absent = np.array(missing, dtype=np.int64)
    for first in range(FIRST, FIRST + records, _BATCH):
        batch = np.arange(first, min(first + _BATCH, FIRST + records))
        low, high = np.searchsorted(absent, [batch[0], batch[-1] + 1])
        yield np.delete(batch, absent[low:high] - first)
    for at in range(0, len(twice), _BATCH):
        yield np.array(twice[at : at + _BATCH], dtype=np.int64)


def _digits(numbers: Integers) -> Bytes:
    powers = 10 ** np.arange(8, -1, -1)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _records(keys: Bytes, delta: Integers, delta_bytes: int) -> bytes:
    """Length, attributes, time, offset, key, value, headers (KIP-98); numbers are zigzag varints,
    here of one byte but for the offset."""
    rows, width = keys.shape
    key_at = 3 + delta_bytes + 1
    found = np.zeros((rows, key_at + width + 2), dtype=np.uint8)
    found[:, 0] = 2 * (found.shape[1] - 1)
    zigzag = 2 * delta
    if delta_bytes == 1:
        found[:, 3] = zigzag
    else:
        found[:, 3], found[:, 4] = zigzag & 0x7F | 0x80, zigzag >> 7
    found[:, key_at - 1] = 2 * width
    found[:, key_at : key_at + width] = keys
    return found.tobytes()


@dataclass(kw_only=True)
class _Writer:
    """One request at a time; a request holds one batch of one partition."""

    client: RawClient
    topic: str
    leaders: Mapping[int, int]

    def __post_init__(self) -> None:
        self._connections: dict[int, RawConnection] = {}

    def write(self, partition: int, batch: bytes) -> None:
        leader = self.leaders[partition]
        if leader not in self._connections:
            self._connections[leader] = self.client.connect(leader)
        data = ProduceRequest.TopicProduceData
        request: Any = ProduceRequest(
            transactional_id=None,
            acks=1,
            timeout_ms=int(_TIMEOUT_S * 1000),
            topic_data=[
                data(
                    name=self.topic,
                    partition_data=[data.PartitionProduceData(index=partition, records=batch)],
                )
            ],
        )
        connection = self._connections[leader]
        connection.send(request, version=_PRODUCE_VERSION)
        answer = connection.receive()
        _number, _topics, name = _ANSWER.unpack_from(answer, 0)
        _partitions, _index, error = _PARTITION.unpack_from(answer, _ANSWER.size + name)
        if error:
            reason = kafka_errors.for_code(error).__name__
            raise InfrastructureError(f"{self.topic}-{partition} took no batch: {reason}")

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
