"""A broker whose container is taken off its network: it runs, and nobody reaches it."""

from __future__ import annotations

from typing import ClassVar

from eoscheck.errors import UsageError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.broker import BrokerFault, OnBroker
from eoscheck.faults.broker_target import owned_brokers
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import PlannedFault

NEEDS_DOCKER = (
    "broker-disconnect needs Docker, with brokers in containers: set cluster.provider = 'docker' "
    "(--kafka-image does), or use broker-partition"
)


class BrokerDisconnect(BrokerFault, frozen=True, kw_only=True, tag="broker-disconnect"):
    """`docker network disconnect` for `down`: cut off from its clients and from the other brokers.
    For `cluster.provider = "docker"`; elsewhere `broker-partition` and `down` cut single links."""

    family: ClassVar[str] = "broker network"


def action(fault: PlannedFault, scene: Scene) -> Action:
    """Raises UsageError where the brokers are no containers."""
    assert isinstance(fault.table, BrokerDisconnect)
    if not owned_brokers(scene).may_be_disconnected:
        raise UsageError(NEEDS_DOCKER)
    return _Disconnect(fault, scene, broker=fault.table.broker)


class _Disconnect(OnBroker):
    def strike(self) -> Evidence:
        broker = self._find()
        return {"broker": broker, **self._brokers.disconnect(broker)}
