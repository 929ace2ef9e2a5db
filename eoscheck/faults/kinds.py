"""All kinds of faults, and the family that each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, get_args

from eoscheck.faults import (
    broker,
    broker_disconnect,
    broker_disk,
    clock,
    disk,
    identity,
    network,
    partition,
    process,
    wire_action,
)
from eoscheck.faults.action import Action
from eoscheck.faults.broker import BrokerTable
from eoscheck.faults.broker_disconnect import BrokerDisconnect
from eoscheck.faults.broker_disk import BrokerDiskFull
from eoscheck.faults.clock import ClockTable
from eoscheck.faults.disk import DiskTable
from eoscheck.faults.identity import IdentityTable
from eoscheck.faults.network import NetworkTable
from eoscheck.faults.partition import BrokerPartition
from eoscheck.faults.process import ProcessTable
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, Need, PlannedFault
from eoscheck.faults.wire import WireTable

FaultSpec: TypeAlias = (
    ProcessTable
    | BrokerTable
    | BrokerDiskFull
    | BrokerDisconnect
    | BrokerPartition
    | NetworkTable
    | DiskTable
    | ClockTable
    | IdentityTable
    | WireTable
)
"""One `[[faults]]` table of a scenario: `kind` says which."""

KINDS: Mapping[str, type[FaultTable]] = {
    str(table.__struct_config__.tag): table for table in get_args(FaultSpec)
}

_FAMILIES: Mapping[str, Callable[[PlannedFault, Scene], Action]] = {
    "process": process.action,
    "disk": disk.action,
    "clock": clock.action,
    "identity": identity.action,
    "broker": broker.action,
    "broker disk": broker_disk.action,
    "broker network": broker_disconnect.action,
    "network": network.action,
    "partition": partition.action,
    "wire": wire_action.action,
}


def action_for(fault: PlannedFault, scene: Scene) -> Action:
    """Raises UsageError where the scene has not what it is done with."""
    return _FAMILIES[fault.table.family](fault, scene)


def needs_of(tables: Sequence[FaultTable]) -> frozenset[Need]:
    """What a run of these faults has to set up before the cluster starts."""
    return frozenset[Need]().union(*(table.needs for table in tables))
