"""Brokers apart from each other, while clients reach them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from eoscheck.errors import UsageError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.broker_target import Target, check_target, find_target
from eoscheck.faults.links import OnLinks, network_of
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, Lane, Need, PlannedFault
from eoscheck.network import Toxic
from eoscheck.network.selection import links_between

_BLACK_HOLE = Toxic(kind="timeout", attributes={"timeout": 0})


class BrokerPartition(FaultTable, frozen=True, kw_only=True, tag="broker-partition"):
    """A `broker` (which one, see `broker_target`) is apart `from` all its `peers`, from them as
    `controllers` only, or from one of them, by its number. What is sent between them vanishes."""

    broker: str | int = "any"
    apart: int | Literal["peers", "controllers"] = msgspec.field(name="from", default="peers")

    family: ClassVar[str] = "partition"
    needs: ClassVar[frozenset[Need]] = frozenset({"brokers", "broker links"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_target(self.broker)
        if self.apart == self.broker:
            raise UsageError(f"faults.from: broker {self.broker} cannot be apart from itself")

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        # As for brokers that are lost: two at once are another experiment.
        return [("brokers", None)]


def action(fault: PlannedFault, scene: Scene) -> Action:
    network_of(scene)
    assert isinstance(fault.table, BrokerPartition)
    return _Partition(fault, fault.table, scene)


class _Partition:
    def __init__(self, fault: PlannedFault, table: BrokerPartition, scene: Scene) -> None:
        self._fault, self._table, self._scene = fault, table, scene
        self._found: Target | None = None
        self._on: OnLinks | None = None

    @property
    def target(self) -> str:
        who = f"broker ({self._table.broker})" if self._found is None else str(self._found)
        apart = self._table.apart
        return f"{who}, from {f'broker {apart}' if isinstance(apart, int) else apart}"

    def strike(self) -> Evidence:
        self._found = find_target(
            self._table.broker, scene=self._scene, chance=self._fault.chance()
        )
        network = network_of(self._scene)
        links = links_between(network.links, broker=self._found.broker, apart=self._table.apart)
        disturbance = network.poison(links, _BLACK_HOLE, streams=("upstream", "downstream"))
        self._on = OnLinks(disturbance, bite="swallows", direction="both")
        return {"broker": self._found.broker, **self._on.strike()}

    def heal(self) -> Evidence:
        return {} if self._on is None else self._on.heal()
