"""Who wrote a record: the header of its batch, which consumers are not shown (KIP-98)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer import FetchRequest
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

from eoscheck.cluster.admin_client import admin_config
from eoscheck.cluster.connection import admin_client
from eoscheck.errors import InfrastructureError

_FETCH_BYTES = 16_384
"""A broker returns the first batch whole, however large it is."""
_LAST_VERSION_BY_NAME = 12
"""Later versions of Fetch name a topic by its id."""


class BatchHeader(msgspec.Struct, frozen=True, kw_only=True):
    """A record batch's producer. `producer_id` is None where it was not even idempotent."""

    base_offset: int
    last_offset: int
    producer_id: int | None
    epoch: int
    base_sequence: int
    transactional: bool


class BatchView:
    """Reads batch headers through a client of its own, uncommitted batches included.

    Raises InfrastructureError where the cluster is not reached within `timeout_s`.
    """

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        self._timeout_ms = int(timeout_s * 1000)
        topics = admin_client(client_config, timeout_s=timeout_s).list_topics(timeout=timeout_s)
        self._leaders = {
            (topic.topic, number): partition.leader
            for topic in topics.topics.values()
            for number, partition in topic.partitions.items()
        }
        self._client = KafkaNetClient(
            **admin_config(client_config), request_timeout_ms=self._timeout_ms
        )
        self._seen: dict[tuple[str, int], list[BatchHeader]] = {}
        try:
            self._client.check_version(timeout_ms=self._timeout_ms)
        except KafkaError as error:
            self._client.close()
            raise InfrastructureError(f"no broker tells who wrote the batches: {error}") from error

    def header(self, topic: str, partition: int, offset: int) -> BatchHeader | None:
        """The header of the batch with that offset; None where it is gone, or cannot be read."""
        seen = self._seen.setdefault((topic, partition), [])
        found = _covering(seen, offset)
        if found is None:
            try:
                seen += self._fetch(topic, partition, offset)
            except (KafkaError, ValueError):  # ValueError: what is no batch
                return None
            found = _covering(seen, offset)
        return found

    def _fetch(self, topic: str, partition: int, offset: int) -> list[BatchHeader]:
        """The batch with that offset, and those that came in the same answer."""
        leader = self._leaders.get((topic, partition), -1)
        request = _fetch_request(topic, partition, offset)
        answer = self._client.send_and_receive(leader, request, timeout_ms=self._timeout_ms)
        return [
            _header(batch)
            for each in answer.responses
            for found in each.partitions
            for batch in MemoryRecords(bytes(found.records or b""))
            if isinstance(batch, DefaultRecordBatch)  # older formats have no producer
        ]

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _covering(headers: Sequence[BatchHeader], offset: int) -> BatchHeader | None:
    for header in headers:
        if header.base_offset <= offset <= header.last_offset:
            return header
    return None


def _header(batch: DefaultRecordBatch) -> BatchHeader:
    return BatchHeader(
        base_offset=batch.base_offset,
        last_offset=batch.last_offset,
        producer_id=batch.producer_id if batch.producer_id >= 0 else None,
        epoch=batch.producer_epoch,
        base_sequence=batch.base_sequence,
        transactional=batch.is_transactional,
    )


def _fetch_request(topic: str, partition: int, offset: int) -> Any:
    fetch = FetchRequest.FetchTopic
    asked = fetch.FetchPartition(
        partition=partition,
        current_leader_epoch=-1,
        fetch_offset=offset,
        last_fetched_epoch=-1,
        log_start_offset=-1,
        partition_max_bytes=_FETCH_BYTES,
    )
    return FetchRequest(
        max_wait_ms=10,
        min_bytes=1,
        max_bytes=_FETCH_BYTES,
        isolation_level=0,
        session_id=0,
        session_epoch=-1,
        topics=[fetch(topic=topic, partitions=[asked])],
        forgotten_topics_data=[],
        rack_id="",
        min_version=4,
        max_version=_LAST_VERSION_BY_NAME,
    )
