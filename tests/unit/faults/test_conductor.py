"""Which fault is due: by its time, its lanes, and what it follows."""

from __future__ import annotations

from typing import Any

import msgspec

from eoscheck.faults.conductor import Conductor
from eoscheck.faults.spec import PlannedFault
from tests.unit.faults.tables import fault


def on(lane: str, fault_id: str, **changes: Any) -> PlannedFault:
    made = fault(fault_id=fault_id, **changes)
    return msgspec.structs.replace(made, lanes=frozenset({lane}))


def ids(conductor: Conductor, now: float) -> list[str]:
    return [each.fault_id for each in conductor.due(now)]


def test_lanes_overlap_and_one_lane_takes_one_fault_at_a_time() -> None:
    first, second, other = on("a", "1"), on("a", "2", at_s=1.5), on("b", "3", at_s=1.2)
    conductor = Conductor([first, other, second], began=0.0)
    assert ids(conductor, 0.9) == []
    assert ids(conductor, 2.0) == ["1", "3"]
    assert ids(conductor, 2.0) == []
    conductor.ended(first, 3.0)
    assert ids(conductor, 3.0) == ["2"]
    assert conductor.pending == []


def test_a_fault_of_several_lanes_is_not_overtaken_in_any_of_them() -> None:
    first = on("a", "1")
    both = msgspec.structs.replace(on("a", "2", at_s=1.1), lanes=frozenset({"a", "b"}))
    late = on("b", "3", at_s=1.2)
    conductor = Conductor([first, both, late], began=0.0)
    assert ids(conductor, 2.0) == ["1"]
    conductor.ended(first, 3.0)
    assert ids(conductor, 3.0) == ["2"]
    conductor.ended(both, 4.0)
    assert ids(conductor, 4.0) == ["3"]


def test_what_comes_after_a_table_counts_from_the_heal_of_its_last_fault() -> None:
    one, two = on("a", "1", name="x"), on("b", "2", name="x")
    after = on("c", "3", after="x", at_s=2.0)
    conductor = Conductor([one, two, after], began=0.0)
    assert ids(conductor, 5.0) == ["1", "2"]
    conductor.ended(one, 6.0)
    assert ids(conductor, 9.0) == []
    conductor.ended(two, 10.0)
    assert ids(conductor, 11.9) == []
    assert ids(conductor, 12.0) == ["3"]


def test_what_comes_during_a_table_counts_from_its_first_strike() -> None:
    one, during = on("a", "1", name="x"), on("b", "2", during="x", at_s=0.5)
    conductor = Conductor([one, during], began=0.0)
    assert ids(conductor, 5.0) == ["1"]
    conductor.struck(one, 6.0)
    assert ids(conductor, 6.4) == []
    assert ids(conductor, 6.5) == ["2"]


def test_what_follows_a_fault_that_was_missed_goes_on() -> None:
    one, during = on("a", "1", name="x"), on("b", "2", during="x", at_s=0.5)
    conductor = Conductor([one, during], began=0.0)
    assert ids(conductor, 5.0) == ["1"]
    conductor.ended(one, 6.0)
    assert ids(conductor, 6.5) == ["2"]


def test_a_gap_counts_from_the_last_heal() -> None:
    one, two = on("all", "1"), on("all", "2", at_s=1.1)
    conductor = Conductor([one, two], began=0.0, gap_s=3.0)
    assert ids(conductor, 2.0) == ["1"]
    conductor.ended(one, 4.0)
    assert ids(conductor, 6.9) == []
    assert ids(conductor, 7.0) == ["2"]
