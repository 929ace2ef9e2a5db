"""Answers to Fetch: read as kafka-python writes them, and refused when they are broken."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from kafka.protocol.consumer import FetchResponse

from eoscheck.logformat.answer import (
    BY_ID,
    BY_NAME,
    BrokenAnswerError,
    next_offset,
    read_answer,
)
from tests.unit.logformat.wire import Written, batch, old_message


def answer(version: int) -> bytes:
    topic = FetchResponse.FetchableTopicResponse
    partition = topic.PartitionData
    aborted = partition.AbortedTransaction

    def data(number: int, records: bytes | None, **fields: Any) -> Any:
        return partition(
            partition_index=number,
            error_code=fields.get("error", 0),
            high_watermark=50,
            last_stable_offset=40,
            log_start_offset=3,
            aborted_transactions=fields.get("aborted"),
            preferred_read_replica=-1,
            records=records,
        )

    listed = [aborted(producer_id=7, first_offset=11), aborted(producer_id=8, first_offset=12)]
    name = {"topic_id": UUID(int=5)} if version >= BY_ID else {"topic": "payments"}
    response = FetchResponse(
        throttle_time_ms=9,
        error_code=0,
        session_id=0,
        responses=[
            topic(
                partitions=[
                    data(0, batch([Written()] * 200, base=3), aborted=listed),
                    data(4, None, error=6),
                ],
                **name,
            )
        ],
    )
    response.API_VERSION = version
    response.with_header(correlation_id=77)
    return bytes(response.encode(header=True))


@pytest.mark.parametrize("version", [BY_NAME, BY_ID])
def test_an_answer_is_read_without_copying_its_records(version: int) -> None:
    sent = memoryview(answer(version))
    found = read_answer(sent, version=version)
    assert (found.correlation_id, found.throttle_ms, found.error) == (77, 9, 0)
    first, second = found.partitions
    assert (first.partition, first.error) == (0, 0)
    assert (first.high_watermark, first.last_stable_offset, first.log_start_offset) == (50, 40, 3)
    assert first.aborted == [(7, 11), (8, 12)]
    assert first.records == batch([Written()] * 200, base=3)
    assert first.records.obj is sent.obj
    assert (second.partition, second.error, len(second.records)) == (4, 6, 0)


@pytest.mark.parametrize("version", [BY_NAME, BY_ID])
def test_whatever_the_bytes_an_answer_is_read_or_refused(version: int) -> None:
    chance = random.Random(version)
    sent = answer(version)
    refused = 0
    for _ in range(20_000):
        broken = bytearray(sent[: chance.randrange(len(sent))] if chance.random() < 0.3 else sent)
        for _ in range(chance.randrange(1, 4)):
            if broken:
                broken[chance.randrange(min(len(broken), 120))] = chance.randrange(256)
        try:
            found = read_answer(memoryview(broken), version=version)
        except BrokenAnswerError:
            refused += 1
        else:
            for each in found.partitions:
                next_offset(each.records)
    assert refused > 1_000


def test_the_next_offset_is_that_after_the_last_whole_batch() -> None:
    first, second = batch([Written()] * 3, base=10), batch([Written(delta=4)], base=20)
    assert next_offset(memoryview(first + second)) == 25
    assert next_offset(memoryview(first + second[:-1])) == 13
    assert next_offset(memoryview(first[:-1])) is None
    assert next_offset(memoryview(b"")) is None
    assert next_offset(memoryview(first + old_message(base=30))) == 31
