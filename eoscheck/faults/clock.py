"""The clock family: an instance's own wall clock is stepped while it works.

Deadlines, retention and "has it timed out?" belong to monotonic clocks or to the broker's: an app
that takes them from its wall clock shows it here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, InstanceFault, PlannedFault
from eoscheck.subject.clock import parse_step


class ClockStep(InstanceFault, frozen=True, kw_only=True, tag="clock-step"):
    """`by`: forwards (`"+1h"`) or back (`"-1h"`); the heal sets it right again, after `down`.

    A broker refuses records from more than an hour ahead of it (`message.timestamp.after.max.ms`).
    """

    by: str

    family: ClassVar[str] = "clock"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.by_s

    @property
    def by_s(self) -> float:
        return parse_step(self.by, what="faults.by")


ClockTable = ClockStep


def needs_clocks(tables: Iterable[FaultTable]) -> bool:
    """Whether the instances must be started with clocks that can be stepped."""
    return any(isinstance(table, ClockStep) for table in tables)


def action(fault: PlannedFault, scene: Scene) -> Action:
    assert isinstance(fault.table, ClockStep)
    return _Step(fault, scene, by_s=fault.table.by_s)


class _Step:
    def __init__(self, fault: PlannedFault, scene: Scene, *, by_s: float) -> None:
        assert fault.instance is not None
        self._subject = scene.subject
        self._instance = fault.instance
        self._by_s = by_s

    @property
    def target(self) -> str:
        return self._subject.called(self._instance)

    def strike(self) -> Evidence:
        pid = self._subject.pid(self._instance)
        return self._subject.clock(self._instance).step(self._by_s, pid=pid)

    def heal(self) -> Evidence:
        evidence = self._subject.clock(self._instance).set_right()
        self._subject.heal(self._instance)
        return evidence
