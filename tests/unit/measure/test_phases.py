"""What a recovery consisted of, and the work that its fault threw away."""

from __future__ import annotations

import math

import pytest

from eoscheck.history import (
    Event,
    GroupChanged,
    InstanceStarted,
    LogSampled,
)
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.measure import from_history
from eoscheck.measure.figures import Recovery
from eoscheck.measure.phases import PHASES, Trail
from eoscheck.measure.reprocessed import reprocessed
from tests.unit.measure.histories import fault, healed, lag, seen, sent

OWNED = {"a": [0, 1], "b": [2, 3]}
TAKEN = {"b": [0, 1, 2, 3]}


def group(t: float, state: str, owners: dict[str, list[int]]) -> GroupChanged:
    return GroupChanged(t=t, state=state, owners=owners)


def log(t: float, *, end: int, stable: int) -> LogSampled:
    return LogSampled(t=t, topic="out", high_watermarks={0: end}, last_stable_offsets={0: stable})


def started(t: float) -> InstanceStarted:
    return InstanceStarted(t=t, instance=0, pid=1, attempt=2, state_dir="/tmp/0")


def restored(begin: float, end: float, *, partition: int = 0) -> list[Event]:
    return [
        RestoreStarted(t=begin, instance=1, store="s", partition=partition, start=0, end=9),
        RestoreEnded(t=end, instance=1, store="s", partition=partition, restored_to=9),
    ]


def recovered(*events: Event, first: float = 20.0) -> tuple[list[Event], Recovery]:
    """A fault at 10 s whose input of 11 s came out at `first`."""
    history: list[Event] = [
        group(0.5, "stable", OWNED),
        lag(9.0, 5),
        fault(10.0, partitions=(0, 1)),
        sent(11.0, (1, 0, 11.0)),
        *events,
        seen(first, 1),
        lag(first + 2.0, 3),
    ]
    return history, from_history(history).recoveries[0]


def shown(history: list[Event], judged: Recovery) -> dict[str, float]:
    phases = Trail(history).phases(judged)
    assert list(phases) == list(PHASES)
    return {phase: seconds for phase, seconds in phases.items() if seconds is not None}


def test_a_hand_over_shows_each_phase_from_the_end_of_the_one_before() -> None:
    phases = shown(
        *recovered(
            group(16.0, "preparingrebalance", OWNED),
            group(17.0, "stable", TAKEN),
            *restored(17.5, 19.0),
        )
    )
    assert phases == pytest.approx(
        {
            "detection": 6.0,
            "rebalance": 1.0,
            "start": 0.5,
            "restore": 1.5,
            "first commit": 1.0,
            "caught up": 2.0,
        }
    )


def test_the_phases_together_are_the_recovery() -> None:
    history, judged = recovered(
        started(10.5),
        log(10.1, end=50, stable=20),
        *restored(12.0, 13.0),
        log(15.0, end=60, stable=55),
    )
    assert judged.caught_up_after_s is not None
    assert math.isclose(sum(shown(history, judged).values()), judged.caught_up_after_s)


def test_a_quick_restart_has_no_rebalance_but_is_down() -> None:
    assert shown(*recovered(started(10.5))) == pytest.approx(
        {"down": 0.5, "first commit": 9.5, "caught up": 2.0}
    )


def test_a_victim_that_came_back_after_others_took_over_was_not_waited_for() -> None:
    phases = shown(
        *recovered(
            group(16.0, "preparingrebalance", OWNED), group(17.0, "stable", TAKEN), started(18.0)
        )
    )
    assert "down" not in phases


def test_a_transaction_that_held_readers_back_is_a_phase_wherever_it_ends() -> None:
    held = (log(10.1, end=50, stable=20), log(19.9, end=90, stable=20))
    before = shown(*recovered(*restored(12.0, 13.0), *held, log(20.2, end=90, stable=90)))
    assert before["transaction"] == pytest.approx(7.0)
    assert before["first commit"] == pytest.approx(0.0)
    # The sample after the first output still saw it: another one's, or another partition's.
    after = shown(*recovered(*held, log(20.2, end=90, stable=20), log(21.0, end=90, stable=90)))
    assert "transaction" not in after
    # Nothing was held back.
    assert "transaction" not in shown(*recovered(log(10.1, end=50, stable=50)))


def test_restores_of_partitions_that_the_victim_did_not_own_are_not_its() -> None:
    assert "restore" not in shown(*recovered(*restored(12.0, 13.0, partition=3)))


def test_what_has_not_recovered_shows_no_phase() -> None:
    history: list[Event] = [fault(10.0), sent(11.0, (1, 0, 11.0)), lag(12.0, 5)]
    assert shown(history, from_history(history).recoveries[0]) == {}


def test_work_is_thrown_away_by_the_fault_before_it() -> None:
    history: list[Event] = [
        sent(1.0, (1, 0, 1.0), (2, 0, 1.0)),
        seen(2.0, 1, 2),
        fault(10.0, "f1"),
        healed(10.5, "f1"),
        seen(11.0, 1),
        fault(20.0, "f2"),
        seen(21.0, 1, 2),
    ]
    faults = from_history(history).recoveries
    aborted = [(5.0, 100), (10.2, 7), (19.0, 1), (25.0, 30)]
    assert reprocessed(faults, history, aborted) == [7 + 1 + 1, 30 + 2]
