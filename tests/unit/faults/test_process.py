"""Faults of more than one instance: rolling restarts, storms, one more and one less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.faults import FaultTable, PlannedFault, Scene
from eoscheck.faults.action import Action, DidNotBiteError
from eoscheck.faults.kinds import action_for
from eoscheck.faults.process import Rolling, ScaleOut, Storm
from eoscheck.subject import SubjectSpec
from tests.unit.faults.tables import OneApp


class FakeSubject(OneApp):
    """Writes down what is done to it; stopping takes `stop_s` of a clock of its own."""

    def __init__(self, *, stop_s: float = 0.1) -> None:
        self.spec = SubjectSpec(command=["app"], instances=3, group="g")
        self.instances, self.spares = range(3), range(3, 4)
        self.log: list[tuple[str, int]] = []
        self.up = {0, 1, 2}
        self.now = 0.0
        self._stop_s = stop_s

    def is_up(self, instance: int) -> bool:
        return instance in self.up

    def terminate(self, instance: int) -> dict[str, Any]:
        self.now += self._stop_s
        self.up.discard(instance)
        self.log.append(("terminate", instance))
        return {"exit_code": 0}

    def heal(self, instance: int) -> None:
        self.up.add(instance)
        self.log.append(("heal", instance))

    start = heal

    def heal_all(self) -> None:
        self.up |= set(self.instances)

    def wait_ready(self, **_: Any) -> None:
        self.log.append(("ready", len(self.up)))

    def pid(self, instance: int) -> int:
        return 4711

    def clock(self) -> float:
        return self.now


def action(table: FaultTable, subject: FakeSubject, **changes: Any) -> Action:
    planned = PlannedFault(
        fault_id="f", table=table, at_s=0.0, lanes=frozenset(), **({"down_s": 0.0} | changes)
    )
    scene = Scene(subject=subject, view=object())  # type: ignore[arg-type]
    return action_for(planned, scene)


def test_a_rolling_restart_goes_on_only_when_all_share_the_work_again() -> None:
    subject = FakeSubject()
    evidence = action(Rolling(), subject).strike()
    once = [[("terminate", n), ("heal", n), ("ready", 3)] for n in range(3)]
    assert subject.log == [step for steps in once for step in steps]
    assert len(evidence["stops"]) == 3


def storm(subject: FakeSubject, *, seed: int = 1) -> Action:
    made: Any = action(Storm(), subject, down_s=1.0, seed=seed)
    return replace(made, clock=subject.clock)


def test_a_storm_is_one_departure_after_the_other_and_the_seed_s() -> None:
    first, again, other = FakeSubject(), FakeSubject(), FakeSubject()
    evidence = storm(first).strike()
    storm(again).strike()
    storm(other, seed=2).strike()
    assert sum(evidence["left"].values()) in (10, 11)
    assert first.up == {0, 1, 2}
    assert first.log == again.log != other.log


def test_one_departure_is_no_storm() -> None:
    with pytest.raises(InfrastructureError, match="give the storm a longer down"):
        storm(FakeSubject(stop_s=2.0)).strike()


def test_one_more_joins_and_leaves_in_order() -> None:
    subject = FakeSubject()
    more = action(ScaleOut(), subject)
    assert more.target == "instance 3, one more"
    more.strike()
    assert subject.is_up(3)
    more.heal()
    assert subject.log == [("heal", 3), ("terminate", 3)]


def test_one_more_that_ended_by_itself_has_not_bitten() -> None:
    subject = FakeSubject()
    more = action(ScaleOut(), subject)
    more.strike()
    subject.up.discard(3)
    with pytest.raises(DidNotBiteError, match="ended by itself"):
        more.heal()


def test_a_table_s_kind_is_its_tag() -> None:
    assert msgspec.to_builtins(Storm())["kind"] == Storm().kind == "storm"
