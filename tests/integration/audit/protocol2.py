"""A producer of transaction protocol v2 (KIP-890), request by request: neither librdkafka nor
kafka-python speaks it, Java's client does. Each transaction has an epoch of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient
from kafka.protocol.metadata import FindCoordinatorRequest
from kafka.protocol.producer import EndTxnRequest, InitProducerIdRequest, ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder

from eoscheck.cluster.admin_client import admin_config

_WAIT_S = 20.0
_INIT, _PRODUCE, _END = 5, 12, 5
"""Versions: with Produce 12 writing to a partition adds it, EndTxn 5 bumps the epoch."""


class SecondProtocolProducer:
    """A context manager. One broker leads everything."""

    def __init__(self, client_config: Mapping[str, str], transactional_id: str) -> None:
        self._client = KafkaNetClient(**admin_config(client_config), request_timeout_ms=10_000)
        self._client.check_version(timeout_ms=10_000)
        self._name = transactional_id
        self._sequences: dict[tuple[str, int], int] = {}
        self.producer_id, self.epoch = -1, -1

    def init(self) -> None:
        """Fences whoever had the same transactional id, and aborts what it left open."""
        # A broker has no coordinators until somebody looks for one.
        find = FindCoordinatorRequest(
            key=self._name, key_type=1, coordinator_keys=[], min_version=1, max_version=3
        )
        self._until(lambda: self._send(find), lambda found: int(found.error_code))
        request = InitProducerIdRequest(
            transactional_id=self._name,
            transaction_timeout_ms=60_000,
            producer_id=-1,
            producer_epoch=-1,
            min_version=_INIT,
            max_version=_INIT,
        )
        answer = self._until(lambda: self._send(request), lambda found: int(found.error_code))
        self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
        self._sequences.clear()

    def write(self, topic: str, partition: int, value: bytes) -> int:
        """The record's offset; KafkaError where the broker refuses it."""
        place = topic, partition
        sequence = self._sequences.get(place, 0)
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=True,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=sequence,
            batch_size=1_000_000,
        )
        builder.append(0, int(time.time() * 1000), None, value, [])
        data = ProduceRequest.TopicProduceData
        request = ProduceRequest(
            transactional_id=self._name,
            acks=-1,
            timeout_ms=10_000,
            topic_data=[
                data(
                    name=topic,
                    partition_data=[
                        data.PartitionProduceData(index=partition, records=bytes(builder.build()))
                    ],
                )
            ],
            min_version=_PRODUCE,
            max_version=_PRODUCE,
        )

        def code(answer: Any) -> int:
            return int(answer.responses[0].partition_responses[0].error_code)

        answer = self._until(lambda: self._send(request), code)
        self._sequences[place] = sequence + 1
        return int(answer.responses[0].partition_responses[0].base_offset)

    def end(self, *, commit: bool) -> None:
        request = EndTxnRequest(
            transactional_id=self._name,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            committed=commit,
            min_version=_END,
            max_version=_END,
        )
        answer = self._until(lambda: self._send(request), lambda found: int(found.error_code))
        assert answer.producer_epoch == self.epoch + 1, "the broker does not speak protocol v2"
        self.epoch = answer.producer_epoch
        self._sequences.clear()

    def _send(self, request: Any) -> Any:
        (broker,) = self._client.cluster.brokers()
        return self._client.send_and_receive(broker.node_id, request, timeout_ms=10_000)

    def _until(self, ask: Callable[[], Any], code: Callable[[Any], int]) -> Any:
        """Asks again while the coordinator loads, or is still ending the transaction before."""
        until = time.monotonic() + _WAIT_S
        while (found := code(answer := ask())) != 0:
            error = kafka_errors.for_code(found)
            if not error.retriable or time.monotonic() > until:
                raise error(self._name)
            time.sleep(0.02)
        return answer

    def __enter__(self) -> Self:
        self.init()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
