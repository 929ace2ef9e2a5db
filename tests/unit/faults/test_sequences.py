"""Plans of faults that follow, overlap, keep a distance, or hit more than one instance."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.faults import FaultTable, PlannedFault, plan
from eoscheck.faults.process import Rolling, ScaleOut, Storm
from tests.unit.faults.tables import app, table


def planned(*tables: FaultTable, **changes: Any) -> list[PlannedFault]:
    targets = app(changes.pop("instances", 2), session_timeout_s=2.0)
    arguments = {"seed": 1, "targets": targets, "duration_s": 60.0}
    return plan(tables, **(arguments | changes))


def test_a_fault_at_a_moment_is_at_that_moment() -> None:
    (fault,) = planned(table("kill", at="7s"))
    assert fault.at_s == 7.0


def test_a_table_that_follows_another_comes_later_in_the_order_with_its_own_times() -> None:
    tables = [table("pause", after="first", at="1s"), table("kill", name="first", at="20s")]
    first, second = planned(*tables)
    assert (first.kind, first.at_s) == ("kill", 20.0)
    assert (second.kind, second.at_s) == ("pause", 1.0)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([{"after": "frist"}, {"name": "first"}], "did you mean 'first'"),
        ([{"name": "a", "after": "b"}, {"name": "b", "during": "a"}], "wait for each other"),
        ([{"name": "a"}, {"name": "a"}], "two tables of faults are called 'a'"),
        ([{"name": "a", "target": 0}, {"during": "a", "target": 0}], "different targets"),
    ],
)
def test_tables_that_cannot_follow_are_refused(tables: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(*(table("kill", **keys) for keys in tables))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"at": "1s", "count": 2}, "exclude each other"),
        ({"after": "a", "during": "b"}, "exclude each other"),
        ({"name": "a", "after": "a"}, "cannot follow itself"),
        ({"when": "outputs > 5"}, r"'outputs >= 10000'"),
        ({"when": "restorin"}, "restoring"),
        ({"within": "soon"}, "faults.within"),
    ],
)
def test_keys_that_make_no_sense_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        table("kill", **keys)


def test_with_a_gap_no_two_faults_overlap_whoever_they_hit() -> None:
    faults = planned(table("kill", count=6, down="1s"), table("pause", count=3), gap_s=2.0)
    for first, second in pairwise(faults):
        assert second.at_s >= first.at_s + first.down_s + 2.0 - 1e-9
    with pytest.raises(UsageError, match="make it longer"):
        planned(table("kill", count=12, down="1s"), gap_s=5.0)


@pytest.mark.parametrize("kind", [Rolling, Storm])
def test_what_hits_every_instance_leaves_none_to_others(kind: type[FaultTable]) -> None:
    whole, one = planned(kind(at="1s", down="5s"), table("kill", at="1s"))
    assert whole.instance is None
    assert whole.lanes >= {"instance 0", "instance 1"}
    assert one.at_s >= 6.0


def test_one_instance_more_leaves_the_others_to_other_faults() -> None:
    more, kill = planned(ScaleOut(at="1s", down="5s"), table("kill", at="2s"))
    assert more.lanes.isdisjoint(kill.lanes)
    assert kill.at_s == 2.0
