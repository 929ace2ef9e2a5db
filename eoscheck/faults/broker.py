"""The broker family: what may happen to a node of a cluster that is ours.

The broker is found when the fault strikes, for leaders and coordinators move; the record says which
one it was, and why. A fault has healed when the broker runs again, answers, and the others know it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.errors import InfrastructureError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.broker_target import Target, check_target, find_target, owned_brokers
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, Lane, Need, PlannedFault

_LANE: Lane = "brokers"
_READY_S = 90.0
_IN_SYNC_S = 60.0
_LOOK_EVERY_S = 0.2


class BrokerFault(FaultTable, frozen=True, kw_only=True):
    """`broker`: which one, see `broker_target`. All brokers are one lane: who it will be is known
    only when it strikes, and two that are lost at once are another experiment. For it there are
    brokers by their numbers, each of which has a lane of its own."""

    broker: str | int = "any"

    family: ClassVar[str] = "broker"
    needs: ClassVar[frozenset[Need]] = frozenset({"brokers"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_target(self.broker)

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        own = isinstance(self.broker, int)
        return [(f"broker {self.broker}" if own else _LANE, None)]


class BrokerKill(BrokerFault, frozen=True, kw_only=True, tag="broker-kill"):
    """SIGKILL; it is started again after `down`, with what it had stored."""


class BrokerPause(BrokerFault, frozen=True, kw_only=True, tag="broker-pause"):
    """SIGSTOP for `down`: its connections stay open, and nobody answers."""


class BrokerStop(BrokerFault, frozen=True, kw_only=True, tag="broker-stop"):
    """A clean shutdown, which hands leaders over first; it is started again after `down`."""


class BrokerRestart(BrokerFault, frozen=True, kw_only=True, tag="broker-restart"):
    """A clean shutdown, and a start at once."""

    momentary: ClassVar[bool] = True


class BrokerRolling(FaultTable, frozen=True, kw_only=True, tag="broker-rolling"):
    """A clean restart of one broker after the other, as operators do it: the next only when the
    last one answers and no partition lacks a replica."""

    family: ClassVar[str] = "broker"
    needs: ClassVar[frozenset[Need]] = frozenset({"brokers"})
    momentary: ClassVar[bool] = True

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        return [(_LANE, None)]


BrokerTable = BrokerKill | BrokerPause | BrokerStop | BrokerRestart | BrokerRolling


def action(fault: PlannedFault, scene: Scene) -> Action:
    match fault.table:
        case BrokerRolling():
            return _Rolling(scene)
        case BrokerRestart() as table:
            return _Restart(fault, scene, broker=table.broker)
        case BrokerKill() as table:
            return _Down(fault, scene, broker=table.broker, strike=owned_brokers(scene).kill)
        case BrokerPause() as table:
            return _Down(fault, scene, broker=table.broker, strike=owned_brokers(scene).pause)
        case BrokerStop() as table:
            return _Down(fault, scene, broker=table.broker, strike=owned_brokers(scene).stop)
        case other:
            raise AssertionError(f"{other!r} is no fault of a broker")


class OnBroker:
    """Finds its broker when it strikes; the heal is the same for all of them."""

    def __init__(self, fault: PlannedFault, scene: Scene, *, broker: str | int) -> None:
        self._brokers = owned_brokers(scene)
        self._scene = scene
        self._wanted = broker
        self._chance = fault.chance()
        self._found: Target | None = None

    @property
    def target(self) -> str:
        return f"broker ({self._wanted})" if self._found is None else str(self._found)

    def heal(self) -> Evidence:
        if self._found is None:
            return {}
        return _healed(self._scene, self._found.broker)

    def _find(self) -> int:
        self._found = find_target(self._wanted, scene=self._scene, chance=self._chance)
        return self._found.broker


class _Down(OnBroker):
    """What is done is undone by the heal alone."""

    def __init__(
        self,
        fault: PlannedFault,
        scene: Scene,
        *,
        broker: str | int,
        strike: Callable[[int], Evidence],
    ) -> None:
        super().__init__(fault, scene, broker=broker)
        self._strike = strike

    def strike(self) -> Evidence:
        broker = self._find()
        evidence = self._strike(broker)
        if self._brokers.is_up(broker):
            raise InfrastructureError(f"broker {broker} is at work as if nothing had happened")
        return {"broker": broker, **evidence}


class _Restart(OnBroker):
    def strike(self) -> Evidence:
        broker = self._find()
        stopped = self._brokers.stop(broker)
        return {"broker": broker, "stopped": stopped, "started": self._brokers.start(broker)}


class _Rolling:
    target = "all brokers, one after the other"

    def __init__(self, scene: Scene) -> None:
        self._brokers = owned_brokers(scene)
        self._scene = scene

    def strike(self) -> Evidence:
        rounds = []
        for broker in self._brokers.ids:
            stopped = self._brokers.stop(broker)
            started = self._brokers.start(broker)
            ready = _ready(self._scene, broker)
            rounds.append({"broker": broker, "stopped": stopped, "started": started, **ready})
            wait_in_sync(self._scene)
        return {"restarted": rounds}

    def heal(self) -> Evidence:
        for broker in self._brokers.ids:
            _healed(self._scene, broker)
        return {}


def wait_in_sync(scene: Scene) -> None:
    """Until no partition lacks a replica that is in sync. Raises InfrastructureError."""
    assert scene.roles is not None, "whoever owns brokers can ask who they are"
    try:
        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_delay(_IN_SYNC_S),
            wait=wait_fixed(_LOOK_EVERY_S),
        )(scene.roles.behind)
    except RetryError as error:
        behind = error.last_attempt.result()
        raise InfrastructureError(
            f"{len(behind)} partitions still lack a replica after {_IN_SYNC_S:.0f} s "
            f"({', '.join(behind[:3])})"
        ) from None


def _healed(scene: Scene, broker: int) -> Evidence:
    return {**owned_brokers(scene).heal(broker), **_ready(scene, broker)}


def _ready(scene: Scene, broker: int) -> Evidence:
    began = time.monotonic()
    owned_brokers(scene).wait_ready(broker, timeout_s=_READY_S)
    return {"ready_after_s": round(time.monotonic() - began, 3)}
