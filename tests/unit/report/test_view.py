from __future__ import annotations

from eoscheck.audit.findings import Code
from eoscheck.history import Event
from eoscheck.measure import from_history
from eoscheck.report.view import RunView, Tile, remark, run_view
from tests.unit.measure.histories import fault, seen, sent
from tests.unit.report import samples


def tile(view: RunView, label: str) -> Tile:
    [found] = [tile for _, tiles in view.counts for tile in tiles if tile.label == label]
    return found


def test_what_the_guarantee_allows_is_counted_and_not_alarming() -> None:
    run = samples.with_duplicates()
    view = run_view(0, run)
    duplicated = tile(view, "duplicated")
    assert duplicated.value == view.duplicated == run.audit.allowed[Code.DUPLICATE]
    assert (duplicated.note, duplicated.bad, view.alarming) == ("allowed", False, False)


def test_anomalies_are_counted_alarming_and_the_rarer_codes_only_where_found() -> None:
    view = run_view(0, samples.broken())
    assert (tile(view, "lost").value, tile(view, "lost").bad) == (37, True)
    assert tile(view, "wrong result").value == 3
    assert view.alarming
    labels = [tile.label for _, tiles in view.counts for tile in tiles]
    assert "phantom" not in labels


def test_groups_tell_how_many_of_how_many_are_listed() -> None:
    lost, wrong = run_view(0, samples.broken()).groups
    assert (lost.code, lost.total, lost.listed, len(lost.first)) == (Code.LOST, 37, 30, 3)
    assert (wrong.code, wrong.total, wrong.rest) == (Code.WRONG_RESULT, 3, [])


def test_a_fault_that_did_not_bite_is_a_tile_of_its_own() -> None:
    run = samples.passing()
    missed = samples.changed(run, tally=samples.changed_tally(run.tally, missed=2, planned=12))
    assert tile(run_view(0, missed), "did not bite").bad
    assert tile(run_view(0, missed), "bit, of 12 planned").value == 10


def test_remarks_say_how_a_row_is_to_be_read() -> None:
    recovery = samples.passing().figures.recoveries[1]
    assert remark(recovery) == ""
    unclear = samples.changed_recovery(
        recovery, outcome="not_recovered", judged_by="all", overlapped=True
    )
    expected = "not recovered in this run; judged over all partitions; overlapped by another fault"
    assert remark(unclear) == expected


def test_recoveries_are_drawn_kind_by_kind_where_there_are_several() -> None:
    events: list[Event] = [
        sent(1.0, ("a", 0, 1.0), ("b", 0, 6.0), ("c", 0, 11.0)),
        fault(2.0, "f1", kind="kill"),
        fault(9.0, "f2", kind="pause", instance=1),
        seen(7.0, "a", "b"),
        seen(13.0, "c"),
    ]
    figures = from_history(events)
    assert list(figures.recovery_by_kind) == ["kill", "pause"]
    view = run_view(0, samples.changed(samples.passing(), figures=figures))
    assert view.strips is not None
    groups = {(strip.group, strip.label): strip for strip in view.strips.strips}
    [killed] = groups["kill", "First output"].dots
    [paused] = groups["pause", "First output"].dots
    assert (killed.point.value, paused.point.value) == (5.0, 4.0)
    assert "fault 2, pause of instance 1" in paused.point.says
    one = run_view(0, samples.passing()).strips
    assert one is not None
    assert {strip.group for strip in one.strips} == {""}
