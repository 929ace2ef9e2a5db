"""The search itself: what it finds, shrinks, keeps and gives up, with runs that cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis.database import InMemoryExampleDatabase

from eoscheck.audit.findings import Verdict
from eoscheck.errors import InfrastructureError
from eoscheck.explore.search.budget import Budget
from eoscheck.explore.search.loads import busy
from eoscheck.explore.search.outcome import Outcome
from eoscheck.explore.search.schedule import Schedule
from eoscheck.explore.search.search import Search
from eoscheck.explore.search.shelf import Shelf
from eoscheck.explore.search.space import Space
from tests.unit.explore.search.searching import RUN_S, SPACE, FakeClock, FakeRuns, has

MakeSearch = Callable[..., Search]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(InMemoryExampleDatabase(), document={"subject": {"command": ["app"]}})


@pytest.fixture
def search(shelf: Shelf, tmp_path: Path) -> MakeSearch:
    """A search over `runs` for so many runs' time."""

    def make(runs: FakeRuns, *, most_runs: int = 60, seed: int = 1, space: Space = SPACE) -> Search:
        return Search(
            space=space,
            run=runs,
            budget=Budget(most_runs * RUN_S, clock=runs.clock),
            shelf=shelf,
            seed=seed,
            home=tmp_path,
        )

    return make


def long_pause(schedule: Schedule) -> bool:
    return has(schedule, "pause", at_least_s=2.5)


def a_pause_and_a_terminate(schedule: Schedule) -> bool:
    return long_pause(schedule) and has(schedule, "terminate")


def test_one_fault_is_found_and_stands_alone_at_the_end(search: MakeSearch) -> None:
    exploration = search(FakeRuns(long_pause)).explore()
    found = exploration.found
    assert found is not None
    assert found.schedule.kinds == ["pause"]
    assert found.schedule.load == busy(SPACE.load)  # as single faults have it
    assert long_pause(found.schedule)
    assert (found.red, found.runs) == (10, 10)
    assert exploration.runs["fail"] > 3


@pytest.mark.thorough
def test_two_faults_that_need_each_other_are_shrunk_to_these_two(search: MakeSearch) -> None:
    found = search(FakeRuns(a_pause_and_a_terminate), seed=3).explore().found
    assert found is not None
    assert sorted(found.schedule.kinds) == ["pause", "terminate"]
    assert found.shrunk_from >= 2


def test_an_app_that_fails_by_itself_needs_no_fault(search: MakeSearch) -> None:
    runs = FakeRuns(lambda _: True)
    found = search(runs).explore().found
    assert found is not None
    assert found.schedule.faults == ()
    assert len(runs.ran) < 20


@pytest.mark.thorough
def test_a_healthy_app_is_explored_until_the_time_is_over_and_no_longer(search: MakeSearch) -> None:
    runs = FakeRuns(lambda _: False)
    exploration = search(runs, most_runs=12).explore()
    assert exploration.found is None
    assert exploration.worst is None
    assert len(runs.ran) == exploration.runs["pass"] == 12
    assert {kind for schedule in runs.ran for kind in schedule.kinds} == set(SPACE.kinds)


def test_no_run_is_begun_that_would_not_fit_into_what_is_left(search: MakeSearch) -> None:
    runs = FakeRuns(lambda _: False)
    search(runs, most_runs=3).explore()
    assert runs.clock.now == 3 * RUN_S
    runs = FakeRuns(lambda _: False)
    Search(
        space=SPACE,
        run=runs,
        budget=Budget(3.5 * RUN_S, clock=runs.clock),
        shelf=Shelf(InMemoryExampleDatabase(), document={}),
    ).explore()
    assert len(runs.ran) == 3


@pytest.mark.thorough
def test_a_red_run_that_does_not_come_again_is_told_and_the_search_goes_on(
    search: MakeSearch, shelf: Shelf
) -> None:
    seen: list[Schedule] = []

    def only_once(schedule: Schedule) -> bool:
        seen.append(schedule)
        return len(seen) == 5

    exploration = search(FakeRuns(only_once), most_runs=9).explore()
    assert exploration.found is None
    (once,) = exploration.once
    assert once.schedule == seen[4]
    assert (once.red, once.runs) == (1, 3)
    assert exploration.worst == once
    assert sum(exploration.runs.values()) == 9
    assert shelf.stored() == [once.schedule]


@pytest.mark.thorough
def test_what_fails_every_other_time_is_confirmed_shrunk_and_told_as_that(
    search: MakeSearch,
) -> None:
    turns: list[bool] = []

    def every_other_time(schedule: Schedule) -> bool:
        if not long_pause(schedule):
            return False
        turns.append(len(turns) % 2 == 1)
        return turns[-1]

    found = search(FakeRuns(every_other_time), most_runs=120).explore().found
    assert found is not None
    assert set(found.schedule.kinds) == {"pause"}
    assert len(found.schedule.faults) <= 2
    assert 0 < found.red < found.runs


def test_where_it_fails_only_with_a_transaction_open_it_is_made_to_strike_there(
    search: MakeSearch,
) -> None:
    turns: list[bool] = []

    def surely_while_open(schedule: Schedule) -> bool:
        if not long_pause(schedule):
            return False
        if all(fault.get("open_transaction") for fault in schedule.faults):
            return True
        turns.append(len(turns) % 2 == 0)
        return turns[-1]

    found = search(FakeRuns(surely_while_open)).explore().found
    assert found is not None
    assert found.schedule.faults[0]["open_transaction"] is True
    assert (found.red, found.runs) == (10, 10)


def test_the_next_search_begins_with_what_the_last_one_found(
    search: MakeSearch, shelf: Shelf
) -> None:
    first = search(FakeRuns(long_pause)).explore().found
    assert first is not None
    assert shelf.stored() == [first.schedule]
    runs = FakeRuns(long_pause)
    again = search(runs, seed=77).explore().found
    assert again is not None
    assert again.by_database
    assert again.schedule.faults == first.schedule.faults
    assert runs.ran[1] == first.schedule  # the run before it is the one without faults


def test_what_is_mended_leaves_the_database(search: MakeSearch, shelf: Shelf) -> None:
    search(FakeRuns(long_pause)).explore()
    assert search(FakeRuns(lambda _: False), most_runs=5).explore().found is None
    assert shelf.stored() == []


@pytest.mark.thorough
def test_what_may_not_be_done_is_not_replayed_and_stays_in_the_database(
    search: MakeSearch, shelf: Shelf
) -> None:
    search(FakeRuns(long_pause)).explore()
    (stored,) = shelf.stored()
    runs = FakeRuns(long_pause)
    kills = search(runs, most_runs=5, space=replace(SPACE, kinds=("kill",))).explore()
    assert kills.found is None
    assert {kind for schedule in runs.ran for kind in schedule.kinds} == {"kill"}
    assert shelf.stored() == [stored]


@pytest.mark.thorough
def test_a_search_without_time_to_shrink_keeps_what_failed_for_the_next_one(
    search: MakeSearch, shelf: Shelf
) -> None:
    probe = FakeRuns(a_pause_and_a_terminate)
    search(probe, seed=3).explore()
    first_red = next(
        turn for turn, schedule in enumerate(probe.ran, 1) if a_pause_and_a_terminate(schedule)
    )
    for stored in shelf.stored():
        shelf.drop(stored)
    short = search(FakeRuns(a_pause_and_a_terminate), most_runs=first_red + 1, seed=3).explore()
    assert short.found is not None
    assert short.found.schedule == probe.ran[first_red - 1]
    assert shelf.stored() == [short.found.schedule]
    whole = search(FakeRuns(a_pause_and_a_terminate), seed=3).explore().found
    assert whole is not None
    assert whole.by_database
    assert len(whole.schedule.faults) == 2


@pytest.mark.parametrize("after_red", [1, 3, 6])
def test_ctrl_c_keeps_the_best_failure_so_far(search: MakeSearch, after_red: int) -> None:
    reds: list[Schedule] = []

    def breaks(schedule: Schedule) -> bool:
        if len(reds) >= after_red:
            raise KeyboardInterrupt
        if long_pause(schedule):
            reds.append(schedule)
            return True
        return False

    exploration = search(FakeRuns(breaks)).explore()
    assert exploration.interrupted
    if after_red > 1:
        assert exploration.worst is not None
        assert long_pause(exploration.worst.schedule)
        assert exploration.worst.schedule in reds


@pytest.mark.thorough
def test_unknown_runs_are_counted_with_their_reason_and_are_no_failure(
    search: MakeSearch, tmp_path: Path
) -> None:
    clock = FakeClock()

    def run(schedule: Schedule) -> Outcome:
        clock.now += RUN_S
        missed = tuple(kind for kind in schedule.kinds if kind == "twin")
        return Outcome(
            verdict=Verdict.UNKNOWN if missed else Verdict.PASS,
            reasons=("a twin did not bite",) if missed else (),
            missed=missed,
        )

    exploration = Search(
        space=replace(SPACE, kinds=("kill", "twin")),
        run=run,
        budget=Budget(16 * RUN_S, clock=clock),
        shelf=Shelf(InMemoryExampleDatabase(), document={}),
        home=tmp_path,
    ).explore()
    assert exploration.worst is None
    assert exploration.runs["unknown"] == exploration.unknowns["a twin did not bite"] == 3
    assert exploration.hopeless == ("twin",)  # and no run was wasted on one after that


def test_a_cluster_that_is_gone_ends_the_search(search: MakeSearch) -> None:
    def broken(schedule: Schedule) -> bool:
        raise InfrastructureError("no broker answers")

    runs = FakeRuns(broken)
    with pytest.raises(InfrastructureError, match="no broker answers"):
        search(runs).explore()
    assert len(runs.ran) == 3
