"""The network family: what may happen between instances of the subject and brokers.

Each instance reaches each broker through a proxy of its own (Toxiproxy), so one can be hit while
all others are well. The harness itself goes past every proxy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.broker_target import Target, check_target, find_target
from eoscheck.faults.links import OnLinks, network_of
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import Lane, Need, PlannedFault, SubjectFault, check_instance, of_role
from eoscheck.network import Disturbance, Toxic
from eoscheck.network.api import Stream
from eoscheck.network.proof import Bite, Direction
from eoscheck.network.selection import client_links

_STREAMS: Mapping[Direction, tuple[Stream, ...]] = {
    "to-broker": ("upstream",),
    "from-broker": ("downstream",),
    "both": ("upstream", "downstream"),
}


class NetworkFault(SubjectFault, frozen=True, kw_only=True):
    """`target`: an instance, `random` or `all`; `broker`: `all`, or which one, see `broker_target`;
    `direction`: of the bytes that are hit. An instance that is killed meanwhile is no conflict."""

    target: int | Literal["random", "all"] = "random"
    broker: str | int = "all"
    direction: Direction = "both"

    family: ClassVar[str] = "network"
    needs: ClassVar[frozenset[Need]] = frozenset({"network"})
    bite: ClassVar[Bite] = "carries"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.broker != "all":
            check_target(self.broker)
        for key, value in self.attributes.items():
            if value < 0:
                raise UsageError(f"the toxic's {key} must be 0 or more, not {value}")

    @property
    def attributes(self) -> dict[str, int]:
        """Toxiproxy's, in its units."""
        return {}

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        if self.target == "all":
            return [(of_role("network", self), None)]
        chosen = instances if self.target == "random" else [self.target]
        return [(f"network of instance {number}", number) for number in chosen]

    def check(self, *, instances: Sequence[int], session_timeout_s: float) -> None:
        if isinstance(self.target, int):
            check_instance(self.target, instances)


class Latency(NetworkFault, frozen=True, kw_only=True, tag="latency"):
    """Every chunk of bytes comes later by `latency`, give or take `spread`."""

    latency: str = "200ms"
    spread: str = "0s"

    @property
    def attributes(self) -> dict[str, int]:
        return {"latency": _ms(self.latency, "latency"), "jitter": _ms(self.spread, "spread")}


class Bandwidth(NetworkFault, frozen=True, kw_only=True, tag="bandwidth"):
    """At most `rate` KB/s for each connection."""

    rate: int = 10

    @property
    def attributes(self) -> dict[str, int]:
        return {"rate": self.rate}


class Slicer(NetworkFault, frozen=True, kw_only=True, tag="slicer"):
    """Bytes come in slices of `average_size`, give or take `size_variation`, with `delay` between
    two of them."""

    average_size: int = 64
    size_variation: int = 32
    delay: str = "1ms"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.size_variation < self.average_size:
            raise UsageError("faults.size_variation must be 0 or more, and below average_size")

    @property
    def attributes(self) -> dict[str, int]:
        return {
            "average_size": self.average_size,
            "size_variation": self.size_variation,
            "delay": round(parse_duration(self.delay, what="faults.delay") * 1e6),
        }


class Timeout(NetworkFault, frozen=True, kw_only=True, tag="timeout"):
    """A black hole: bytes vanish, connections stay open; they are closed after `timeout` (0: at
    the heal)."""

    timeout: str = "0s"

    bite: ClassVar[Bite] = "swallows"

    @property
    def attributes(self) -> dict[str, int]:
        return {"timeout": _ms(self.timeout, "timeout")}


class ResetPeer(NetworkFault, frozen=True, kw_only=True, tag="reset-peer"):
    """A connection is reset (TCP RST) `timeout` after the next bytes on it."""

    timeout: str = "0s"

    bite: ClassVar[Bite] = "ends"

    @property
    def attributes(self) -> dict[str, int]:
        return {"timeout": _ms(self.timeout, "timeout")}


class LimitData(NetworkFault, frozen=True, kw_only=True, tag="limit-data"):
    """A connection is closed once `bytes` more have gone through it: in the midst of a request."""

    bytes: int = 1000

    bite: ClassVar[Bite] = "ends"

    @property
    def attributes(self) -> dict[str, int]:
        return {"bytes": self.bytes}


class SlowClose(NetworkFault, frozen=True, kw_only=True, tag="slow-close"):
    """The other side hears of the end of a connection later by `delay`."""

    delay: str = "1s"

    bite: ClassVar[Bite] = "ends"

    @property
    def attributes(self) -> dict[str, int]:
        return {"delay": _ms(self.delay, "delay")}


class Down(NetworkFault, frozen=True, kw_only=True, tag="down"):
    """Connections are cut, and refused until the heal, whatever the direction."""

    bite: ClassVar[Bite] = "ends"


NetworkTable = Latency | Bandwidth | Slicer | Timeout | ResetPeer | LimitData | SlowClose | Down


def action(fault: PlannedFault, scene: Scene) -> Action:
    network_of(scene)
    assert isinstance(fault.table, NetworkFault)
    return _Poison(fault, fault.table, scene)


class _Poison:
    """Finds its broker when it strikes."""

    def __init__(self, fault: PlannedFault, table: NetworkFault, scene: Scene) -> None:
        self._fault, self._table, self._scene = fault, table, scene
        self._found: Target | None = None
        self._on: OnLinks | None = None

    @property
    def target(self) -> str:
        number = self._fault.instance
        who = f"all {of_role('instances', self._table)}"
        if number is not None:
            who = self._scene.subject.called(number)
        if self._found is None:
            return who
        return f"{who}, to {self._found}"

    def strike(self) -> Evidence:
        if self._table.broker != "all":
            self._found = find_target(
                self._table.broker, scene=self._scene, chance=self._fault.chance()
            )
        self._on = OnLinks(
            self._disturbance(), bite=self._table.bite, direction=self._table.direction
        )
        evidence = self._on.strike()
        return {**evidence, "direction": self._table.direction, **self._table.attributes}

    def heal(self) -> Evidence:
        return {} if self._on is None else self._on.heal()

    def _disturbance(self) -> Disturbance:
        network = network_of(self._scene)
        broker = None if self._found is None else self._found.broker
        number = self._fault.instance
        instances = self._scene.instances(self._table.role) if number is None else [number]
        links = client_links(network.links, instances=instances, broker=broker)
        if isinstance(self._table, Down):
            return network.cut(links)
        toxic = Toxic(kind=self._table.kind.replace("-", "_"), attributes=self._table.attributes)
        return network.poison(links, toxic, streams=_STREAMS[self._table.direction])


def _ms(duration: str, key: str) -> int:
    return round(parse_duration(duration, what=f"faults.{key}") * 1000)
