"""Which requests are steps of exactly-once processing."""

from __future__ import annotations

PROTOCOL = (
    "FindCoordinator",
    "InitProducerId",
    "JoinGroup",
    "SyncGroup",
    "Heartbeat",
    "ConsumerGroupHeartbeat",
    "LeaveGroup",
    "OffsetFetch",
    "ListOffsets",
    "Fetch",
    "AddPartitionsToTxn",
    "Produce",
    "AddOffsetsToTxn",
    "TxnOffsetCommit",
    "OffsetCommit",
    "EndTxn",
)
"""The APIs that it is made of: a crash at any other one (Metadata, ApiVersions) is a crash between
two of these."""

BEGINS_ANEW = ("EndTxn(abort)", "InitProducerId")
"""What a transactional client does that no longer waits for what was lost."""
