"""Who the active controller is, where a node that is cut off may still take itself for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, for_code
from kafka.protocol.admin import DescribeQuorumRequest

_LOG = "__cluster_metadata"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one broker was told: `leader` of the metadata log, in its `epoch`."""

    leader: int
    epoch: int


def believed(claims: Sequence[Claim], *, brokers: int) -> Claim | None:
    """The claim of the highest epoch, where at least half of the brokers made one (the nodes of
    an even number are one more than vote).

    An old controller says that it is one until it has missed the others for a while: alone.
    """
    if not claims or 2 * len(claims) < brokers:
        return None
    return max(claims, key=lambda claim: claim.epoch)


def active_controller(admin: KafkaAdminClient) -> Claim | None:
    """None where too few brokers know one now. Raises KafkaError where none says who is there."""
    brokers = _brokers(admin)
    return believed(list(_claims(admin, brokers).values()), brokers=len(brokers))


def claims(admin: KafkaAdminClient) -> dict[int, Claim]:
    """By broker, of those that know a controller. Raises as `active_controller`."""
    return _claims(admin, _brokers(admin))


def _brokers(admin: KafkaAdminClient) -> list[int]:
    """Those that are fenced, too."""
    return [each["broker_id"] for each in admin.describe_cluster()["brokers"]]


def _claims(admin: KafkaAdminClient, brokers: Sequence[int]) -> dict[int, Claim]:
    found = {}
    for broker in brokers:
        try:
            found[broker] = _claim(admin, broker)
        except KafkaError:
            continue  # silent, gone, or without a controller: `believed` counts those that are not
    return found


def _claim(admin: KafkaAdminClient, broker: int) -> Claim:
    """Asked of this broker, which asks the controller that it knows; the library's own call goes
    to any broker. Raises KafkaError."""
    of = DescribeQuorumRequest.TopicData
    log = of(topic_name=_LOG, partitions=[of.PartitionData(partition_index=0)])
    request = DescribeQuorumRequest(topics=[log])
    manager = admin._manager  # noqa: SLF001
    answer: Any = manager.run(_send, manager, request, broker)
    _refuse(answer.error_code)
    partition = answer.topics[0].partitions[0]
    _refuse(partition.error_code)
    return Claim(leader=partition.leader_id, epoch=partition.leader_epoch)


async def _send(manager: Any, request: Any, broker: int) -> Any:
    return await manager.send(request, node_id=broker)


def _refuse(code: int) -> None:
    """Raises the KafkaError that an answer stands for."""
    if code:
        raise for_code(code)()
