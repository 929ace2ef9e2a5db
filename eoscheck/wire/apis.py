"""Kafka's APIs by key, and the codecs of those whose fields are read: kafka-python's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from kafka.protocol.api_key import ApiKey
from kafka.protocol.consumer import (
    FetchRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)
from kafka.protocol.metadata import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    MetadataRequest,
    MetadataResponse,
)
from kafka.protocol.producer import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    EndTxnRequest,
    EndTxnResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
    ProduceResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

PRODUCE, FETCH, METADATA, FIND_COORDINATOR, SASL_HANDSHAKE = 0, 1, 3, 10, 17
CONSUMER_GROUP_HEARTBEAT, SHARE_GROUP_HEARTBEAT, STREAMS_GROUP_HEARTBEAT = 68, 76, 88
NEW_HEARTBEATS = (CONSUMER_GROUP_HEARTBEAT, SHARE_GROUP_HEARTBEAT, STREAMS_GROUP_HEARTBEAT)
"""KIP-848, KIP-932, KIP-1071: all begin with the group, the member and its epoch."""

API_NAMES: Mapping[int, str] = MappingProxyType({int(key): key.name for key in ApiKey})

REQUESTS: Mapping[int, Any] = MappingProxyType(
    {
        codec.API_KEY: codec
        for codec in (
            FetchRequest,
            ListOffsetsRequest,
            MetadataRequest,
            OffsetCommitRequest,
            OffsetFetchRequest,
            FindCoordinatorRequest,
            JoinGroupRequest,
            SyncGroupRequest,
            HeartbeatRequest,
            LeaveGroupRequest,
            InitProducerIdRequest,
            AddPartitionsToTxnRequest,
            AddOffsetsToTxnRequest,
            EndTxnRequest,
            TxnOffsetCommitRequest,
        )
    }
)
ANSWERS: Mapping[int, Any] = MappingProxyType(
    {
        codec.API_KEY: codec
        for codec in (
            ProduceResponse,
            ListOffsetsResponse,
            MetadataResponse,
            OffsetCommitResponse,
            OffsetFetchResponse,
            FindCoordinatorResponse,
            JoinGroupResponse,
            SyncGroupResponse,
            HeartbeatResponse,
            LeaveGroupResponse,
            InitProducerIdResponse,
            AddPartitionsToTxnResponse,
            AddOffsetsToTxnResponse,
            EndTxnResponse,
            TxnOffsetCommitResponse,
        )
    }
)


def knows(codec: Any, version: int) -> bool:
    return bool(0 <= version <= codec.max_version)
