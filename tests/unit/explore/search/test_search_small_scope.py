"""Single faults come first: those that this subject can be struck by, and a schedule for each."""

from __future__ import annotations

from dataclasses import replace

from eoscheck.explore.search.schedule import check_fits
from eoscheck.explore.search.small_scope import single_faults
from eoscheck.explore.search.space import Space
from eoscheck.load.spec import LoadSpec
from tests.unit.explore.search.searching import SPACE, seconds

STEPS = {"JoinGroup": 2, "Produce(output)": 90, "TxnOffsetCommit": 60, "EndTxn(commit)": 60}
LOSSES = ("drop-request", "drop-response")
EVERYTHING = replace(SPACE, kinds=(*SPACE.kinds, *LOSSES), steps=STEPS)


def faults(space: Space) -> list[dict[str, object]]:
    schedules = list(single_faults(space, seed=3))
    for schedule in schedules:
        check_fits(schedule, instances=2, session_timeout_s=2.0)
    return [fault for schedule in schedules for fault in schedule.faults]


def test_what_a_commit_consists_of_is_lost_until_the_client_gives_up() -> None:
    lost = [fault for fault in faults(EVERYTHING) if "step" in fault]
    assert {(fault["step"], fault["kind"]) for fault in lost} == {
        (step, kind) for step in ("Produce", "TxnOffsetCommit", "EndTxn(commit)") for kind in LOSSES
    }
    assert {fault["for"] for fault in lost} == {"until the client gives up"}


def test_an_app_without_transactions_loses_its_own_steps_and_waits_for_no_transaction() -> None:
    plain = faults(replace(EVERYTHING, steps={"Produce(output)": 90, "OffsetCommit": 30}))
    assert {fault["step"] for fault in plain if "step" in fault} == {"Produce", "OffsetCommit"}
    assert not any("open_transaction" in fault for fault in plain)
    assert any("open_transaction" in fault for fault in faults(EVERYTHING))


def test_a_stop_lasts_so_long_that_others_take_over_and_work_and_a_pause_also_shorter() -> None:
    stops = [fault for fault in faults(SPACE) if "down" in fault]
    assert {str(fault["kind"]) for fault in stops} == {"pause", "terminate", "kill"}
    beyond, within = 2 * SPACE.session_s, 0.9 * SPACE.session_s
    lengths = {(fault["kind"], seconds(str(fault["down"]))) for fault in stops}
    assert lengths == {(kind, beyond) for kind in ("pause", "terminate", "kill")} | {
        ("pause", within)
    }


def test_only_what_can_be_done_is_and_each_alone_to_the_instances_in_turn() -> None:
    assert [fault["kind"] for fault in faults(replace(SPACE, kinds=("kill",)))] == ["kill"]
    assert {fault["target"] for fault in faults(EVERYTHING)} == {0, 1}
    schedules = list(single_faults(EVERYTHING, seed=3))
    assert {(len(each.faults), each.seed) for each in schedules} == {(1, 3)}


def test_each_strikes_an_app_that_is_busy() -> None:
    rate, size = SPACE.load.rate, SPACE.load.transaction_size
    assert size is not None
    for schedule in single_faults(EVERYTHING, seed=3):
        assert schedule.load == {"rate": 3 * rate, "transaction_size": 2 * size}
        LoadSpec(topic="in", **schedule.load)  # type: ignore[arg-type] # it can be held


def test_a_load_without_transactions_is_busier_without_them() -> None:
    plain = replace(EVERYTHING, load=LoadSpec(topic="in", rate=100.0))
    schedules = list(single_faults(plain, seed=3))
    assert schedules
    assert all(schedule.load == {"rate": 300.0} for schedule in schedules)
