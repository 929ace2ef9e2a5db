"""Hazards that only the wire shows: what a subject asks of its group's coordinator, and how. No
fault is needed to see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from eoscheck.audit.findings import Guarantee, Hazard, HazardCode
from eoscheck.wire import Exchange

_NAMES_MEMBERS = 3
"""KIP-447: the first version of TxnOffsetCommit that has a member id and a generation."""
_OF_MEMBERS = frozenset({"JoinGroup", "SyncGroup", "Heartbeat", "ConsumerGroupHeartbeat"})


def check_wire(
    trace: Sequence[Exchange],
    *,
    group: str | None,
    expect: Guarantee,
    known: Collection[HazardCode] = (),
) -> list[Hazard]:
    """`trace`: all that the subject's instances asked; a fault that met a request changes nothing
    about how it was meant. `known`: hazards that the audit has found elsewhere."""
    if expect is not Guarantee.EXACTLY_ONCE or group is None:
        return []
    of_group = [each for each in trace if each.request.group == group]
    hazards = [_unfenced(of_group, group), _unstable(of_group, group), _outside(of_group, group)]
    return [each for each in hazards if each is not None and each.code not in known]


def _unfenced(of_group: Sequence[Exchange], group: str) -> Hazard | None:
    sent = [each for each in of_group if each.request.api == "TxnOffsetCommit"]
    bare = [each for each in sent if not _names_member(each)]
    if not bare:
        return None
    first = bare[0]
    why = (
        f"in version {first.request.api_version}, which has no"
        if first.request.api_version < _NAMES_MEMBERS
        else "without"
    )
    return Hazard(
        code=HazardCode.UNFENCED_OFFSETS,
        detail=f"{len(bare)} of {len(sent)} TxnOffsetCommit for {group!r} were sent {why} member "
        "id and generation: the coordinator accepts them from an instance that has lost its "
        "partitions",
        facts={"without_member": len(bare), "sent": len(sent), "first": _told(first)},
    )


def _names_member(exchange: Exchange) -> bool:
    request = exchange.request
    return bool(request.member_id) and request.generation is not None and request.generation >= 0


def _unstable(of_group: Sequence[Exchange], group: str) -> Hazard | None:
    """KIP-447: from version 7 on, OffsetFetch may require stable offsets. Only of clients that are
    members of the group: others may look at it as they like."""
    members = {_client(each) for each in of_group if each.request.api in _OF_MEMBERS}
    asked = [
        each for each in of_group if each.request.api == "OffsetFetch" and _client(each) in members
    ]
    unstable = [each for each in asked if not each.request.requires_stable]
    if not unstable:
        return None
    return Hazard(
        code=HazardCode.UNSTABLE_READ,
        detail=f"{len(unstable)} of {len(asked)} OffsetFetch by members of {group!r} did not "
        "require stable offsets: while the transaction of an instance that is gone is open, the "
        "next one begins at offsets that it may still move",
        facts={"unstable": len(unstable), "asked": len(asked), "first": _told(unstable[0])},
    )


def _client(exchange: Exchange) -> tuple[int, str | None]:
    return exchange.instance, exchange.request.client_id


def _outside(of_group: Sequence[Exchange], group: str) -> Hazard | None:
    """Of a group whose offsets are committed in transactions too."""
    inside = sum(each.request.api == "TxnOffsetCommit" for each in of_group)
    outside = [each for each in of_group if each.request.api == "OffsetCommit"]
    if not inside or not outside:
        return None
    return Hazard(
        code=HazardCode.OFFSETS_OUTSIDE_TRANSACTION,
        detail=f"{len(outside)} OffsetCommit for {group!r} were sent beside {inside} in "
        "transactions: a crash between them and the outputs loses or repeats outputs",
        facts={"outside": len(outside), "inside": inside, "first": _told(outside[0])},
    )


def _told(exchange: Exchange) -> str:
    return (
        f"{exchange.request.api} v{exchange.request.api_version} of instance {exchange.instance} "
        f"at {exchange.sent:.3f} s"
    )
