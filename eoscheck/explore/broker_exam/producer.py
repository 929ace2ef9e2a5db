"""A producer that sends what it is told to, also what no client would."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Self

from kafka.protocol.producer import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    ProduceRequest,
    TxnOffsetCommitRequest,
)
from kafka.record.default_records import DefaultRecordBatchBuilder

from eoscheck.explore.broker_exam.conversation import (
    COORDINATOR_OF_GROUP,
    COORDINATOR_OF_TRANSACTIONS,
    Answer,
    Conversation,
)
from eoscheck.explore.broker_exam.member import NOBODY, Member

NO_PRODUCER_ID = -1
_MAGIC = 2
_BATCH_BYTES = 1 << 16


class ExamProducer:
    """Speaks the transactions of all clients that know no KIP-890 (librdkafka, Java before 4.0):
    partitions are added by hand, and an epoch stays as it is when a transaction ends. With
    `own_epochs` those of its second version: what is written adds itself to the transaction, and
    the end of one gives the epoch of the next.

    Without a transactional id it is idempotent only. A sequence advances with each record that the
    broker took, as a client's does.
    """

    def __init__(
        self,
        talk: Conversation,
        topic: str,
        *,
        transactional_id: str | None,
        timeout_ms: int,
        own_epochs: bool = False,
    ) -> None:
        self.producer_id = NO_PRODUCER_ID
        self.epoch = -1
        self._talk = talk
        self._topic = topic
        self._transactional_id = transactional_id
        self._timeout_ms = timeout_ms
        self._own_epochs = own_epochs
        self._sequences: dict[int, int] = {}

    def init(self) -> Answer:
        """A producer id and an epoch, which fence whoever had the transactional id before."""
        name = self._transactional_id or "no transactional id"
        answer = self._talk.ask(
            f"InitProducerId({name}, timeout {self._timeout_ms} ms)",
            lambda: InitProducerIdRequest(
                transactional_id=self._transactional_id,
                transaction_timeout_ms=self._timeout_ms,
                producer_id=NO_PRODUCER_ID,
                producer_epoch=-1,
                max_version=4,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
            told=lambda body: f"producer {body.producer_id} epoch {body.producer_epoch}",
        )
        if answer.ok:
            self.producer_id = answer.body.producer_id
            self.epoch = answer.body.producer_epoch
            self._sequences = {}
        return answer

    def begin(self, partition: int) -> Answer:
        """The partition becomes part of the transaction: AddPartitionsToTxn."""
        added = AddPartitionsToTxnRequest.AddPartitionsToTxnTopic
        return self._talk.ask(
            f"AddPartitionsToTxn(partition {partition}, {self._me})",
            lambda: AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=self._transactional_id,
                v3_and_below_producer_id=self.producer_id,
                v3_and_below_producer_epoch=self.epoch,
                v3_and_below_topics=[added(name=self._topic, partitions=[partition])],
                max_version=3,
            ),
            node=self._node,
            code=lambda body: int(
                body.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
            ),
        )

    def produce(self, partition: int, value: str, *, sequence: int | None = None) -> Answer:
        """One record, of the next sequence number or of another."""
        expected = self._sequences.get(partition, 0)
        number = expected if sequence is None else sequence
        answer = self._talk.ask(
            f"Produce({value!r} to partition {partition}, {self._me}, sequence {number})",
            lambda: self._produce_request(partition, value, number),
            node=lambda: self._talk.leader(self._topic, partition),
            code=lambda body: int(_partition_of(body).error_code),
            told=lambda body: f"offset {_partition_of(body).base_offset}",
        )
        if not answer.ok:
            return answer
        if number == expected:
            self._sequences[partition] = expected + 1
        return replace(answer, offset=int(_partition_of(answer.body).base_offset))

    def add_offsets(self, group: str) -> Answer:
        """The group's offsets become part of the transaction: AddOffsetsToTxn."""
        return self._talk.ask(
            f"AddOffsetsToTxn({group}, {self._me})",
            lambda: AddOffsetsToTxnRequest(
                transactional_id=self._transactional_id,
                producer_id=self.producer_id,
                producer_epoch=self.epoch,
                group_id=group,
                max_version=3,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
        )

    def commit_offset(
        self, group: str, partition: int, offset: int, *, member: Member = NOBODY
    ) -> Answer:
        """TxnOffsetCommit, as that member of the group: by default as a consumer of no group."""
        committed = TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic
        place = committed.TxnOffsetCommitRequestPartition(
            partition_index=partition,
            committed_offset=offset,
            committed_leader_epoch=-1,
            committed_metadata="",
        )
        return self._talk.ask(
            f"TxnOffsetCommit({group}: {offset}, {self._me}{member})",
            lambda: TxnOffsetCommitRequest(
                transactional_id=self._transactional_id,
                group_id=group,
                producer_id=self.producer_id,
                producer_epoch=self.epoch,
                generation_id=member.generation,
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                topics=[committed(name=self._topic, partitions=[place])],
                min_version=5 if self._own_epochs else 3 if member is not NOBODY else 0,
                max_version=5 if self._own_epochs else 4,
            ),
            node=lambda: self._talk.coordinator(COORDINATOR_OF_GROUP, group),
            code=lambda body: int(body.topics[0].partitions[0].error_code),
        )

    def end(self, *, commit: bool) -> Answer:
        """With `own_epochs` the answer's producer id and epoch are its own from then on."""
        answer = self._talk.ask(
            f"EndTxn({'commit' if commit else 'abort'}, {self._me})",
            lambda: EndTxnRequest(
                transactional_id=self._transactional_id,
                producer_id=self.producer_id,
                producer_epoch=self.epoch,
                committed=commit,
                min_version=5 if self._own_epochs else 0,
                max_version=5 if self._own_epochs else 4,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
            told=self._told_at_end,
        )
        if answer.ok and self._own_epochs:
            self.producer_id = answer.body.producer_id
            self.epoch = answer.body.producer_epoch
            self._sequences = {}
        return answer

    def as_it_is(self) -> Self:
        """A twin that hears of nothing that comes: it keeps the epoch of now."""
        return copy.copy(self)

    def abandon(self) -> None:
        """Aborts what it may have left open."""
        if self._transactional_id is not None:
            self.end(commit=False)

    def _told_at_end(self, body: Any) -> str:
        if not self._own_epochs:
            return "OK"
        return f"OK, next producer {body.producer_id} epoch {body.producer_epoch}"

    @property
    def _me(self) -> str:
        return f"producer {self.producer_id} epoch {self.epoch}"

    def _node(self) -> int | None:
        if self._transactional_id is None:
            return None
        return self._talk.coordinator(COORDINATOR_OF_TRANSACTIONS, self._transactional_id)

    def _produce_request(self, partition: int, value: str, sequence: int) -> ProduceRequest:
        batch = DefaultRecordBatchBuilder(
            magic=_MAGIC,
            compression_type=0,
            is_transactional=self._transactional_id is not None,
            producer_id=self.producer_id,
            producer_epoch=self.epoch,
            base_sequence=sequence,
            batch_size=_BATCH_BYTES,
        )
        batch.append(0, None, None, value.encode(), [])
        data = ProduceRequest.TopicProduceData
        place = data.PartitionProduceData(index=partition, records=bytes(batch.build()))
        return ProduceRequest(
            transactional_id=self._transactional_id,
            acks=-1,
            timeout_ms=int(self._talk.timeout_s * 1000),
            topic_data=[data(name=self._topic, partition_data=[place])],
            # From 12 on, Produce adds its partition to the transaction itself.
            min_version=12 if self._own_epochs else 3,
            max_version=12 if self._own_epochs else 11,
        )


def _partition_of(body: Any) -> Any:
    return body.responses[0].partition_responses[0]
