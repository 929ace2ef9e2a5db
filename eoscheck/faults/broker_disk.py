"""A broker whose disk gets full: Kafka ends where it cannot write, and needs room to come back."""

from __future__ import annotations

from typing import ClassVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.broker import BrokerFault, OnBroker
from eoscheck.faults.broker_target import owned_brokers
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import PlannedFault

_NOTICE_S = 15.0
_LOOK_EVERY_S = 0.05


class BrokerDiskFull(BrokerFault, frozen=True, kw_only=True, tag="broker-disk-full"):
    """Nothing more fits on the broker's disk, until the heal makes room and starts it again. The
    cluster needs small disks for it (`cluster.data_size_mb`: Linux, as root)."""

    family: ClassVar[str] = "broker disk"


def action(fault: PlannedFault, scene: Scene) -> Action:
    """Raises UsageError where the brokers' disks are not small ones of their own."""
    assert isinstance(fault.table, BrokerDiskFull)
    if not owned_brokers(scene).disks_may_be_filled:
        raise UsageError(
            "broker-disk-full fills the brokers' disks, which must be small ones of their own: set "
            "cluster.data_size_mb = 128 (Linux, as root)"
        )
    return _DiskFull(fault, scene, broker=fault.table.broker)


class _DiskFull(OnBroker):
    def strike(self) -> Evidence:
        """Returns when the broker has ended by it: while nothing is written, it does not notice."""
        broker = self._find()
        evidence = self._brokers.fill_disk(broker)
        try:
            Retrying(
                retry=retry_if_result(bool),
                stop=stop_after_delay(_NOTICE_S),
                wait=wait_fixed(_LOOK_EVERY_S),
            )(self._brokers.is_up, broker)
        except RetryError:
            raise InfrastructureError(
                f"broker {broker} wrote nothing to its full disk for {_NOTICE_S:.0f} s: is it "
                "given any records?"
            ) from None
        return {"broker": broker, **evidence, "ended": True}
