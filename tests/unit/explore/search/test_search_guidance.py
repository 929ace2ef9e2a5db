"""What guides a search: states of a history, and what no run has had yet."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.audit.findings import Verdict
from eoscheck.explore.search.budget import Budget
from eoscheck.explore.search.novelty import Novelty
from eoscheck.explore.search.outcome import Outcome, states_of
from eoscheck.explore.search.schedule import Schedule, Table
from eoscheck.history import Event, FaultHealed, FaultInjected, InstanceExited
from eoscheck.history.events import GroupSampled
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from tests.unit.explore.search.searching import SPACE, FakeClock


def fault(kind: str, *, down: str = "500ms", **more: Any) -> Table:
    return {"kind": kind, "at": "1s", "target": 0, "down": down, **more}


def passed(*, missed: tuple[str, ...] = (), states: frozenset[str] = frozenset()) -> Outcome:
    return Outcome(verdict=Verdict.PASS, missed=missed, states=states)


def injected(kind: str, *, fault_id: str = "", **more: Any) -> FaultInjected:
    return FaultInjected(
        t=1.0,
        fault_id=fault_id or kind,
        kind=kind,
        instance=0,
        down_s=1.0,
        outlasts_session=more.pop("outlasts_session", False),
        wiped=more.pop("wiped", False),
        evidence=more.pop("evidence", {}),
        **more,
    )


def healed(kind: str) -> FaultHealed:
    return FaultHealed(t=2.0, fault_id=kind, kind=kind, instance=0)


class Audited:
    """Of a result, what states are made of."""

    class audit:  # noqa: N801
        transactions: tuple[()] = ()
        allowed: dict[str, int] = {}  # noqa: RUF012
        hazards: tuple[()] = ()


def states(*events: Event) -> set[str]:
    return set(states_of(Audited, events))  # type: ignore[arg-type]


def test_a_fault_is_a_state_with_what_it_left_behind() -> None:
    found = states(injected("kill", open_transactions=1, outlasts_session=True, wiped=True))
    assert {
        "kill",
        "kill: a transaction left open",
        "kill: beyond the session",
        "kill: wiped",
    } <= found
    assert "kill: wiped" not in states(injected("kill"))


def test_a_fault_at_a_step_is_a_cell() -> None:
    found = states(injected("crash-after", evidence={"step": "EndTxn(commit)"}))
    assert "cell EndTxn(commit) crash-after" in found


def test_faults_that_overlap_are_another_state_than_faults_one_after_the_other() -> None:
    overlapping = states(injected("pause"), injected("kill"), healed("pause"), healed("kill"))
    assert "kill while pause" in overlapping
    in_turn = states(injected("pause"), healed("pause"), injected("kill"), healed("kill"))
    assert "kill while pause" not in in_turn


def test_unexpected_ends_and_broken_restores_are_states() -> None:
    place = {"instance": 0, "store": "balances", "partition": 1}
    started = RestoreStarted(t=1.0, start=0, end=9, **place)  # type: ignore[arg-type]
    ended = RestoreEnded(t=2.0, restored_to=9, **place)  # type: ignore[arg-type]
    exited = InstanceExited(t=1.0, instance=0, pid=1, code=3, expected=False)
    assert {"ended by itself with 3", "a restore was broken off"} <= states(
        exited, started, started, ended
    )
    assert "a restore was broken off" not in states(started, ended, started, ended)


def test_figures_count_by_their_size_alone() -> None:
    def lagging(lag: int) -> GroupSampled:
        return GroupSampled(t=1.0, lag=lag, committed={}, ends={})

    assert states(lagging(300)) == states(lagging(400))
    assert states(lagging(300)) != states(lagging(4000))


def test_what_was_run_is_worth_less_and_what_was_never_run_most() -> None:
    novelty = Novelty(SPACE)
    kill, pause = Schedule(faults=(fault("kill"),)), Schedule(faults=(fault("pause"),))
    before = novelty.score(kill)
    assert before == novelty.score(pause) > 0
    novelty.ran(kill, passed())
    assert novelty.score(kill) < before == novelty.score(pause)
    longer = Schedule(faults=(fault("kill", down="5s"),))
    assert novelty.score(kill) < novelty.score(longer) < before


def test_a_run_tells_how_many_states_are_new() -> None:
    novelty = Novelty(SPACE)
    schedule = Schedule(faults=(fault("kill"),))
    assert novelty.ran(schedule, passed(states=frozenset({"a", "b"}))) == 2
    assert novelty.ran(schedule, passed(states=frozenset({"b", "c"}))) == 1
    assert novelty.states == {"a", "b", "c"}


KINDS = ("kill", "pause", "terminate", "restart", "twin", "scale-in")


def of(*kinds: str) -> Schedule:
    return Schedule(faults=tuple(fault(kind) for kind in kinds))


def test_only_the_best_of_many_candidates_are_worth_a_run() -> None:
    novelty = Novelty(SPACE)
    singles = [of(kind) for kind in KINDS] * 3
    assert not any(novelty.worth(single) for single in singles[:15])  # nothing to compare with yet
    assert novelty.worth(of("kill", "pause"))
    novelty.ran(of("kill", "pause"), passed())
    assert not any(novelty.worth(of("kill")) for _ in range(20))  # that was in it
    assert novelty.worth(of("twin"))


def test_what_is_nearly_the_same_is_run_once_more_next_to_the_best_alone() -> None:
    novelty = Novelty(SPACE)
    for _ in range(7):
        novelty.ran(Schedule(), passed())
    novelty.ran(of("kill", "pause"), passed(states=frozenset("abc")))
    novelty.ran(of("terminate", "twin"), passed(states=frozenset("a")))
    near_best = of("pause", "kill")
    near_other = of("twin", "terminate")
    assert not any(novelty.worth(near_other) for _ in range(30))
    assert [novelty.worth(near_best) for _ in range(30)].count(True) == 1


def test_even_where_little_is_new_something_is_run_at_last() -> None:
    novelty = Novelty(SPACE)
    for _ in range(20):
        novelty.worth(of(*KINDS[:4]))
    assert any(novelty.worth(of("scale-in")) for _ in range(200))


@pytest.mark.parametrize(
    ("kind", "more", "name"),
    [("twin", {}, "twin"), ("crash-after", {"step": "JoinGroup"}, "crash-after at JoinGroup")],
)
def test_a_fault_that_is_always_missed_is_not_tried_again(
    kind: str, more: Table, name: str
) -> None:
    novelty = Novelty(SPACE)
    schedule = Schedule(faults=(fault(kind, **more),))
    for _ in range(3):
        assert novelty.score(schedule) > 0
        novelty.ran(schedule, passed(missed=(kind,)))
    assert novelty.score(schedule) == 0
    assert not any(novelty.worth(schedule) for _ in range(200))
    assert novelty.hopeless == [name]
    elsewhere = Schedule(faults=(fault("crash-after", step="EndTxn(commit)"),))
    assert novelty.score(elsewhere) > 0


def test_a_fault_that_bit_once_is_not_hopeless() -> None:
    novelty = Novelty(SPACE)
    schedule = Schedule(faults=(fault("kill"),))
    novelty.ran(schedule, passed())
    for _ in range(5):
        novelty.ran(schedule, passed(missed=("kill",)))
    assert novelty.hopeless == []


def test_a_budget_allows_what_has_fitted_so_far() -> None:
    clock = FakeClock()
    budget = Budget(100.0, clock=clock)
    assert budget.allows_a_run()  # nobody knows yet how long one takes
    clock.now = 30.0
    budget.timed(0.0)
    assert budget.left_s == 70.0
    clock.now = 69.0
    assert budget.allows_a_run()
    clock.now = 71.0
    assert not budget.allows_a_run()
    clock.now = 500.0
    assert budget.left_s == 0.0
    assert not Budget(0.0, clock=clock).allows_a_run()
