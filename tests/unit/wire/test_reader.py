"""What is read of requests and answers, in every version that is known."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol import consumer, metadata, producer

from eoscheck.wire.request import Request
from tests.unit.wire.requests import FUZZ, IDS, encoded, produce_request, reader, versions

# ---------------------------------------------------------------- Produce


@pytest.mark.parametrize("version", versions(producer.ProduceRequest))
def test_produce_tells_its_topics_and_transaction_in_every_version(version: int) -> None:
    read = reader().read(encoded(produce_request("orders", "payments"), version=version))
    assert read == Request(
        api="Produce",
        api_key=0,
        api_version=version,
        correlation_id=7,
        client_id="me",
        size=read.size,
        transactional_id="tx",
        acks=-1,
        topics=("orders", "payments"),
    )


def test_produce_tells_the_producer_of_its_first_batch() -> None:
    batch = bytearray(61)
    batch[16] = 2
    struct.pack_into(">qh", batch, 43, 5, 6)
    for version in versions(producer.ProduceRequest):
        request = produce_request("orders", records=bytes(batch))
        read = reader().read(encoded(request, version=version))
        assert (read.producer_id, read.producer_epoch) == (5, 6)
    struct.pack_into(">qh", batch, 43, -1, -1)
    read = reader().read(encoded(produce_request("orders", records=bytes(batch)), version=9))
    assert (read.producer_id, read.producer_epoch) == (None, None)
    batch[16] = 1
    struct.pack_into(">qh", batch, 43, 5, 6)
    read = reader().read(encoded(produce_request("orders", records=bytes(batch)), version=9))
    assert read.producer_id is None


def test_produce_without_a_transaction_or_answer() -> None:
    read = reader().read(encoded(produce_request("orders", acks=0, tx=None), version=9))
    assert (read.transactional_id, read.acks, read.topics) == (None, 0, ("orders",))


def test_a_topic_id_that_nobody_told_stands_as_it_is() -> None:
    read = reader({}).read(encoded(produce_request("orders"), version=13))
    assert read.topics == (str(UUID(int=1)),)


def _one_partition(topic: str, batch: bytes, acks: int) -> Any:
    of = producer.ProduceRequest.TopicProduceData
    partition = of.PartitionProduceData(index=0, records=batch)
    data = [of(name=topic, topic_id=IDS[topic], partition_data=[partition])]
    return producer.ProduceRequest(
        transactional_id="tx", acks=acks, timeout_ms=1000, topic_data=data
    )


def _batch(size: int, producer_id: int) -> bytes:
    batch = bytearray(size)
    if size >= 61:
        batch[16] = 2
        struct.pack_into(">qh", batch, 43, producer_id, 6)
    return bytes(batch)


PRODUCES = st.builds(
    lambda topic, size, producer_id, acks, version, number: encoded(
        _one_partition(topic, _batch(size, producer_id), acks),
        version=version,
        correlation_id=number,
    ),
    topic=st.sampled_from(["orders", "payments"]),
    size=st.sampled_from([0, 60, 61, 126, 127, 300, 20_000]),
    producer_id=st.integers(-1, 3),
    acks=st.sampled_from([-1, 0]),
    version=st.sampled_from([3, 8, 9, 12, 13]),
    number=st.integers(0, 1 << 30),
)


@FUZZ
@given(st.lists(st.tuples(PRODUCES, st.binary(max_size=4), st.integers(0, 5)), max_size=8))
def test_a_request_like_an_earlier_one_is_read_as_if_it_were_the_first(
    sent: list[tuple[bytes, bytes, int]],
) -> None:
    """Whole ones, and ones whose end is not as it should be."""
    of = reader()
    for frame, behind, cut in sent:
        odd = frame[: len(frame) - cut] + behind
        assert of.read(odd) == reader().read(odd)
        assert of.read(frame) == reader().read(frame)


def test_a_topics_name_that_is_told_late_is_told_from_then_on() -> None:
    names: dict[UUID, str] = {}
    of = reader(names)
    frame = encoded(_one_partition("orders", b"", -1), version=13)
    assert of.read(frame).topics == (str(UUID(int=1)),)
    names[UUID(int=1)] = "orders"
    assert of.read(frame).topics == ("orders",)


@FUZZ
@given(st.binary(max_size=300), st.integers(0, 14))
def test_garbage_behind_a_header_is_no_error(garbage: bytes, version: int) -> None:
    for key in (0, 1, 2, 8, 9, 10, 11, 22, 24, 26, 28, 68):
        body = struct.pack(">hhih", key, version, 7, 2) + b"me" + garbage
        read = reader().read(struct.pack(">i", len(body)) + body)
        assert (read.api_key, read.correlation_id, read.client_id) == (key, 7, "me")


def test_an_unknown_version_or_api_is_read_no_further_than_its_header() -> None:
    frame = bytearray(encoded(produce_request("orders"), version=13))
    struct.pack_into(">h", frame, 6, 14)
    read = reader().read(bytes(frame))
    assert (read.api, read.api_version, read.client_id, read.topics) == ("Produce", 14, "me", ())
    struct.pack_into(">h", frame, 4, 999)
    assert reader().read(bytes(frame)).api == "api 999"


def test_no_client_id_is_none() -> None:
    body = struct.pack(">hhih", 18, 0, 7, -1)
    assert reader().read(struct.pack(">i", len(body)) + body).client_id is None


# ---------------------------------------------------------------- transactions and groups


def _partitions_of_txn(version: int) -> Any:
    codec = producer.AddPartitionsToTxnRequest
    topic = codec.AddPartitionsToTxnTransaction.AddPartitionsToTxnTopic
    return codec(
        v3_and_below_transactional_id="tx",
        v3_and_below_producer_id=5,
        v3_and_below_producer_epoch=6,
        v3_and_below_topics=[topic(name="orders", partitions=[0])],
        transactions=[
            codec.AddPartitionsToTxnTransaction(
                transactional_id="tx",
                producer_id=5,
                producer_epoch=6,
                topics=[topic(name="orders", partitions=[0])],
            )
        ],
    )


def _txn_offset_commit(version: int) -> Any:
    codec = producer.TxnOffsetCommitRequest
    topic = codec.TxnOffsetCommitRequestTopic
    partition = topic.TxnOffsetCommitRequestPartition
    return codec(
        transactional_id="tx",
        group_id="group",
        producer_id=5,
        producer_epoch=6,
        generation_id=3,
        member_id="member",
        topics=[
            topic(name="orders", partitions=[partition(partition_index=0, committed_offset=1)])
        ],
    )


def _offset_commit(version: int) -> Any:
    codec = consumer.OffsetCommitRequest
    topic = codec.OffsetCommitRequestTopic
    partition = topic.OffsetCommitRequestPartition
    return codec(
        group_id="group",
        generation_id_or_member_epoch=3,
        member_id="member",
        topics=[
            topic(
                name="orders",
                topic_id=IDS["orders"],
                partitions=[partition(partition_index=0, committed_offset=1)],
            )
        ],
    )


def _offset_fetch(version: int) -> Any:
    codec = consumer.OffsetFetchRequest
    group, topic = codec.OffsetFetchRequestGroup, codec.OffsetFetchRequestTopic
    of_group = group.OffsetFetchRequestTopics
    return codec(
        group_id="group",
        topics=[topic(name="orders", partition_indexes=[0])],
        groups=[
            group(
                group_id="group",
                member_id="member",
                member_epoch=3,
                topics=[of_group(name="orders", topic_id=IDS["orders"], partition_indexes=[0])],
            )
        ],
        require_stable=True,
    )


def _list_offsets(version: int) -> Any:
    codec = consumer.ListOffsetsRequest
    topic = codec.ListOffsetsTopic
    return codec(
        replica_id=-1,
        isolation_level=1,
        topics=[
            topic(
                name="orders",
                partitions=[topic.ListOffsetsPartition(partition_index=0, timestamp=-1)],
            )
        ],
    )


TX = {"transactional_id": "tx", "producer_id": 5, "producer_epoch": 6}
MEMBER = {"group": "group", "member_id": "member", "generation": 3}
COORDINATORS: list[dict[str, Any]] = [
    {"group": "it", "transactional_id": None},
    {"group": None, "transactional_id": "it"},
    {"group": None, "transactional_id": None},
]
CASES: list[tuple[Any, int, Any, dict[str, Any]]] = [
    (
        producer.InitProducerIdRequest,
        3,
        lambda _: producer.InitProducerIdRequest(
            transactional_id="tx", transaction_timeout_ms=1, producer_id=5, producer_epoch=6
        ),
        TX,
    ),
    (producer.AddPartitionsToTxnRequest, 0, _partitions_of_txn, {**TX, "topics": ("orders",)}),
    (
        producer.AddOffsetsToTxnRequest,
        0,
        lambda _: producer.AddOffsetsToTxnRequest(
            transactional_id="tx", producer_id=5, producer_epoch=6, group_id="group"
        ),
        {**TX, "group": "group"},
    ),
    (
        producer.TxnOffsetCommitRequest,
        3,
        _txn_offset_commit,
        {**TX, **MEMBER, "topics": ("orders",)},
    ),
    *(
        (
            producer.EndTxnRequest,
            0,
            lambda _, committed=committed: producer.EndTxnRequest(
                transactional_id="tx", producer_id=5, producer_epoch=6, committed=committed
            ),
            {**TX, "committed": committed},
        )
        for committed in (True, False)
    ),
    (consumer.OffsetCommitRequest, 2, _offset_commit, {**MEMBER, "topics": ("orders",)}),
    (consumer.OffsetFetchRequest, 7, _offset_fetch, {"group": "group", "requires_stable": True}),
    (consumer.OffsetFetchRequest, 9, _offset_fetch, {**MEMBER, "topics": ("orders",)}),
    (consumer.ListOffsetsRequest, 1, _list_offsets, {"topics": ("orders",)}),
    (
        consumer.HeartbeatRequest,
        0,
        lambda _: consumer.HeartbeatRequest(group_id="group", generation_id=3, member_id="member"),
        MEMBER,
    ),
    (
        consumer.SyncGroupRequest,
        0,
        lambda _: consumer.SyncGroupRequest(
            group_id="group", generation_id=3, member_id="member", assignments=[]
        ),
        MEMBER,
    ),
    *(
        (
            metadata.FindCoordinatorRequest,
            1,
            lambda _, kind=kind: metadata.FindCoordinatorRequest(
                key="it", key_type=kind, coordinator_keys=["it"]
            ),
            expected,
        )
        for kind, expected in enumerate(COORDINATORS)
    ),
    (
        consumer.LeaveGroupRequest,
        0,
        lambda _: consumer.LeaveGroupRequest(
            group_id="group",
            member_id="member",
            members=[consumer.LeaveGroupRequest.MemberIdentity(member_id="member")],
        ),
        {"group": "group", "member_id": "member"},
    ),
    (
        consumer.JoinGroupRequest,
        0,
        lambda _: consumer.JoinGroupRequest(
            group_id="group", member_id="member", protocol_type="consumer", protocols=[]
        ),
        {"group": "group", "member_id": "member"},
    ),
]


@pytest.mark.parametrize(
    ("codec", "since", "build", "expected"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_small_requests_tell_their_fields_in_every_version(
    codec: Any, since: int, build: Any, expected: dict[str, Any]
) -> None:
    for version in versions(codec, since):
        read = reader().read(encoded(build(version), version=version))
        found = {name: getattr(read, name) for name in expected}
        assert found == expected, f"{codec.__name__} v{version}"
        assert read.api == codec.__name__.removesuffix("Request")


@pytest.mark.parametrize("key", [68, 76, 88])
def test_new_heartbeats_tell_group_member_and_epoch(key: int) -> None:
    body = (
        struct.pack(">hhih", key, 0, 7, 2) + b"me\0" + b"\x06group\x07member" + struct.pack(">i", 4)
    )
    read = reader().read(struct.pack(">i", len(body) + 2) + body + b"\0\0")
    assert (read.group, read.member_id, read.generation) == ("group", "member", 4)
    answer = struct.pack(">ii", 99, 7) + b"\0" + struct.pack(">ih", 0, 110)
    assert reader().answered(read, answer) == 110


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("version", versions(producer.EndTxnResponse))
def test_the_error_of_an_answer_is_told(version: int) -> None:
    of = reader()
    asked = of.read(encoded(CASES[4][2](version), version=version))
    for code in (0, 47):
        answer = producer.EndTxnResponse(throttle_time_ms=0, error_code=code)
        assert of.answered(asked, encoded(answer, version=version)) == code


@pytest.mark.parametrize("version", versions(producer.ProduceResponse))
def test_the_first_error_of_any_partition_is_told(version: int) -> None:
    of = reader()
    asked = of.read(encoded(produce_request("orders"), version=version))
    topic = producer.ProduceResponse.TopicProduceResponse
    answer = producer.ProduceResponse(
        responses=[
            topic(
                name="orders",
                topic_id=IDS["orders"],
                partition_responses=[
                    topic.PartitionProduceResponse(index=index, error_code=code, base_offset=1)
                    for index, code in enumerate([0, 47, 45])
                ],
            )
        ]
    )
    assert of.answered(asked, encoded(answer, version=version)) == 47


@pytest.mark.parametrize("version", versions(producer.ProduceResponse))
@pytest.mark.parametrize("code", [0, 47])
def test_the_error_of_the_only_partition_is_told(version: int, code: int) -> None:
    of = reader()
    asked = of.read(encoded(_one_partition("orders", b"", -1), version=version))
    topic = producer.ProduceResponse.TopicProduceResponse
    partition = topic.PartitionProduceResponse(index=258, error_code=code, base_offset=1)
    said = topic(name="orders", topic_id=IDS["orders"], partition_responses=[partition])
    answer = producer.ProduceResponse(responses=[said])
    assert of.answered(asked, encoded(answer, version=version)) == code


@pytest.mark.parametrize("version", versions(metadata.MetadataResponse, since=10))
def test_answers_to_metadata_teach_the_ids_of_topics(version: int) -> None:
    names: dict[UUID, str] = {}
    of = reader(names)
    asked = of.read(encoded(metadata.MetadataRequest(topics=[]), version=version))
    topic = metadata.MetadataResponse.MetadataResponseTopic
    answer = metadata.MetadataResponse(
        brokers=[],
        cluster_id="c",
        controller_id=1,
        topics=[topic(error_code=0, name="new", topic_id=UUID(int=9), partitions=[])],
    )
    assert of.answered(asked, encoded(answer, version=version)) == 0
    assert names == {UUID(int=9): "new"}


def test_an_answer_that_is_cut_short_has_no_error_code() -> None:
    of = reader()
    asked = of.read(encoded(CASES[4][2](3), version=3))
    answer = encoded(producer.EndTxnResponse(throttle_time_ms=0, error_code=1), version=3)
    assert of.answered(asked, answer[:10]) is None
