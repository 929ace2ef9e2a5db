"""A broker that breaks one promise: a real one, behind a proxy that changes what is asked of it or
what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crc32c import crc32c
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.consumer import FetchResponse
from kafka.protocol.metadata import FindCoordinatorResponse, MetadataResponse

from tests.integration.audit import fetch_proxy
from tests.integration.audit.fetch_proxy import Answer, FetchProxy

Change = Callable[[Any], None]
Kind = type[ApiMessage]
_OURS = (FetchResponse, MetadataResponse, FindCoordinatorResponse)  # of FetchProxy itself


@dataclass
class LyingBroker(FetchProxy):
    """`changes` of messages, by their class: requests before the broker sees them, answers before
    the client does."""

    changes: Mapping[Kind, Change] = field(default_factory=dict)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        broker: asyncio.StreamWriter,
        asked: dict[int, tuple[int, int]],
    ) -> None:
        while (frame := await fetch_proxy._frame(reader)) is not None:
            key, version, number = fetch_proxy._REQUEST.unpack_from(frame)
            asked[number] = key, version
            frame = self._changed(frame, key, version, "request")
            broker.write(fetch_proxy._LENGTH.pack(len(frame)) + frame)
            await broker.drain()

    def _rewritten(self, frame: bytes, key: int, version: int) -> bytes:
        return self._changed(super()._rewritten(frame, key, version), key, version, "response")

    def _changed(self, frame: bytes, key: int, version: int, what: str) -> bytes:
        for kind, change in self.changes.items():
            if (kind.API_KEY, kind.type) == (key, what):
                message = kind.decode(frame, version=version, header=True)
                change(message)
                changed = bytes(message.encode(header=True))
                self.lies += changed != frame
                return changed
        return frame


@contextmanager
def lying_broker(
    broker: str, *, changes: Mapping[Kind, Change], lie: Callable[[Answer], Answer] | None = None
) -> Iterator[LyingBroker]:
    """Before the broker at `host:port`; `lie` as of a FetchProxy."""
    proxy = LyingBroker(broker_port=fetch_proxy.port_of(broker), changes=changes)
    if lie is not None:
        proxy.lie = lie
    with fetch_proxy.opened(proxy) as started:
        yield started


# ---------------------------------------------------------------- lies


def no_aborted(answer: Answer) -> Answer:
    """Nothing was aborted: a consumer takes all records for committed."""
    return Answer(answer.batches, [])


def uncommitted(request: Any) -> None:
    """Who asks for what is committed is told of all."""
    request.isolation_level = 0


def always_commit(request: Any) -> None:
    request.committed = True


def patient(request: Any) -> None:
    """The time-out that the producer asked for is forgotten."""
    request.transaction_timeout_ms = 60_000


def any_offsets(request: Any) -> None:
    request.require_stable = False


def of_no_group(request: Any) -> None:
    """Whoever commits offsets, no member is asked for."""
    request.generation_id, request.member_id, request.group_instance_id = -1, "", None


def no_producer(request: Any) -> None:
    """Batches lose their producer, and so are not known when they come again."""
    for topic in request.topic_data:
        for partition in topic.partition_data:
            batch = bytearray(partition.records)
            batch[43:57] = b"\xff" * 14  # id, epoch and sequence: -1
            batch[17:21] = crc32c(bytes(batch[21:])).to_bytes(4, "big")
            partition.records = bytes(batch)


def no_error(answer: Any) -> None:
    """Of an answer that has one error."""
    answer.error_code = 0


def no_partition_errors(answer: Any) -> None:
    for topic in answer.topics:
        for partition in topic.partitions:
            partition.error_code = 0


def taken(answer: Any) -> None:
    """A Produce that was refused is told to be in the log."""
    for topic in answer.responses:
        for partition in topic.partition_responses:
            partition.error_code = 0


def no_new_epoch(answer: Any) -> None:
    """A transaction that has ended leaves its producer as it was."""
    answer.producer_epoch = 0


def an_older_protocol(answer: Any) -> None:
    """The cluster has not agreed to KIP-890's second version."""
    for feature in answer.finalized_features or ():
        if feature.name == "transaction.version":
            feature.max_version_level = 1
