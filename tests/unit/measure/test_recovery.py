from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.history import Event, GroupSampled
from eoscheck.measure.figures import Recovery
from eoscheck.measure.journeys import Journey, journeys
from eoscheck.measure.recovery import recoveries, summary
from tests.unit.measure.histories import Simulation, fault, healed, lag, seen, sent


def judge(*events: Event) -> list[Recovery]:
    return recoveries(events, journeys(events))


def test_output_of_input_from_before_the_fault_proves_no_recovery() -> None:
    [recovery] = judge(
        sent(1.0, ("old", 0, 9.9), ("new", 0, 10.1)),
        fault(10.0),
        seen(10.5, "old"),
        seen(13.0, "new"),
    )
    assert recovery.recovered_after_s == pytest.approx(3.0)
    assert recovery.outcome == "recovered"


def test_input_intended_at_the_very_moment_of_the_fault_is_not_after_it() -> None:
    [recovery] = judge(
        sent(1.0, ("at", 0, 10.0), ("after", 0, 10.001)),
        fault(10.0),
        seen(10.2, "at"),
        seen(12.0, "after"),
    )
    assert recovery.recovered_after_s == pytest.approx(2.0)


def test_a_bystanders_output_proves_nothing_about_the_victims_partitions() -> None:
    [recovery] = judge(
        sent(1.0, ("bystander", 1, 10.1), ("victim", 0, 10.1)),
        fault(10.0, partitions=[0]),
        seen(10.2, "bystander"),
        seen(14.0, "victim"),
    )
    assert recovery.recovered_after_s == pytest.approx(4.0)
    assert (recovery.judged_by, recovery.partitions) == ("victim", [0])


def test_first_and_last_affected_partition_are_told_apart() -> None:
    [recovery] = judge(
        sent(1.0, ("a", 0, 10.1), ("b", 2, 10.1), ("c", 1, 10.1)),
        fault(10.0, partitions=[0, 2]),
        seen(12.0, "a"),
        seen(15.0, "b"),
        seen(30.0, "c"),
    )
    assert recovery.recovered_after_s == pytest.approx(2.0)
    assert recovery.all_recovered_after_s == pytest.approx(5.0)


@pytest.mark.parametrize("unknown", [None, ()])
def test_where_the_victims_partitions_are_unknown_every_partition_must_come_back(
    unknown: tuple[int, ...] | None,
) -> None:
    [recovery] = judge(
        sent(1.0, ("a", 0, 10.1), ("b", 1, 10.1), ("before", 2, 9.0)),
        fault(10.0, partitions=unknown),
        seen(10.2, "a"),
        seen(16.0, "b"),
    )
    assert recovery.judged_by == "all"
    assert recovery.recovered_after_s == recovery.all_recovered_after_s == pytest.approx(6.0)


def test_an_acknowledgement_recorded_after_its_output_is_still_joined() -> None:
    [recovery] = judge(fault(10.0), seen(11.0, "x"), sent(12.0, ("x", 0, 10.5)))
    assert recovery.recovered_after_s == pytest.approx(1.0)


def test_without_an_output_afterwards_there_is_no_recovery_time() -> None:
    [recovery] = judge(sent(1.0, ("x", 0, 10.5)), fault(10.0), seen(10.7, "something else"))
    assert recovery.outcome == "not_recovered"
    assert recovery.recovered_after_s is None
    assert recovery.all_recovered_after_s is None
    assert recovery.caught_up_after_s is None


def test_one_partition_that_stays_away_is_not_a_recovery() -> None:
    [recovery] = judge(
        sent(1.0, ("a", 0, 10.1), ("b", 1, 10.1)), fault(10.0, partitions=[0, 1]), seen(11.0, "a")
    )
    assert recovery.outcome == "not_recovered"
    assert recovery.recovered_after_s == pytest.approx(1.0)
    assert recovery.all_recovered_after_s is None


def test_without_input_afterwards_nothing_is_said_and_the_quantiles_leave_it_out() -> None:
    judged = judge(
        sent(1.0, ("a", 0, 10.1)),
        fault(10.0, "judged"),
        seen(12.0, "a"),
        fault(20.0, "idle"),
    )
    assert [r.outcome for r in judged] == ["recovered", "no_input"]
    recovered = summary(judged).recovered
    assert recovered is not None
    assert (recovered.n, recovered.censored, recovered.max) == (1, 0, pytest.approx(2.0))


def test_a_fault_without_recovery_takes_the_maximum_away() -> None:
    judged = judge(
        sent(1.0, ("a", 0, 10.1), ("b", 1, 20.1)),
        fault(10.0, "ends", partitions=[0]),
        seen(12.0, "a"),
        fault(20.0, "never ends", partitions=[1]),
    )
    recovered = summary(judged).recovered
    assert recovered is not None
    assert (recovered.n, recovered.censored, recovered.max) == (2, 1, None)


def test_overlapping_faults_are_each_timed_from_their_own_injection() -> None:
    first, second = judge(
        sent(1.0, ("a", 0, 10.1), ("b", 1, 11.1), ("c", 0, 13.0)),
        fault(10.0, "f1", partitions=[0], instance=0),
        fault(11.0, "f2", partitions=[1], instance=1),
        seen(12.0, "b"),
        seen(14.0, "a"),
        seen(14.5, "c"),
    )
    assert (first.recovered_after_s, first.overlapped) == (pytest.approx(4.0), True)
    assert (second.recovered_after_s, second.overlapped) == (pytest.approx(1.0), False)


def test_a_fault_that_comes_after_the_recovery_does_not_overlap_it() -> None:
    first, _ = judge(sent(1.0, ("a", 0, 10.1)), fault(10.0, "f1"), seen(11.0, "a"), fault(11.0))
    assert not first.overlapped


def test_an_identity_sent_twice_counts_as_sent_the_first_time() -> None:
    [recovery] = judge(
        sent(1.0, ("a", 0, 9.0)), sent(12.0, ("a", 0, 12.0)), fault(10.0), seen(13.0, "a")
    )
    assert recovery.outcome == "no_input"


def test_the_heal_is_the_faults_own() -> None:
    first, second = judge(fault(1.0, "f1"), fault(2.0, "f2"), healed(3.0, "f2"))
    assert (first.healed_at, second.healed_at) == (None, 3.0)


def test_caught_up_waits_for_the_lag_to_rise_and_fall_again() -> None:
    [recovery] = judge(
        lag(9.0, 20),
        lag(9.5, 5),
        fault(10.0),
        lag(10.1, 10),  # not risen yet
        sent(10.2, ("a", 0, 10.2)),
        lag(11.0, 900),
        seen(12.0, "a"),
        lag(12.1, 500),
        lag(13.0, 20),
        lag(14.0, 5),
    )
    assert recovery.lag_before == 20
    assert recovery.caught_up_after_s == pytest.approx(3.0)


def test_lag_that_never_falls_back_is_not_caught_up_and_counts_as_censored() -> None:
    judged = judge(lag(9.0, 5), fault(10.0), sent(10.2, ("a", 0, 10.2)), seen(12, "a"), lag(13, 6))
    assert judged[0].caught_up_after_s is None
    caught_up = summary(judged).caught_up
    assert caught_up is not None
    assert (caught_up.n, caught_up.censored) == (1, 1)


def test_without_lag_samples_catching_up_is_unknown_and_not_counted() -> None:
    judged = judge(fault(10.0), sent(10.2, ("a", 0, 10.2)), seen(12.0, "a"))
    assert judged[0].lag_before is None
    assert summary(judged).caught_up is None


def test_a_fault_during_catch_up_has_to_reach_the_level_from_before_the_first_one() -> None:
    first, second = judge(
        lag(9.5, 10),
        fault(10.0, "f1"),
        sent(10.2, ("a", 0, 10.2), ("b", 0, 12.2)),
        seen(11.0, "a"),
        lag(11.5, 800),
        fault(12.0, "f2"),
        seen(13.0, "b"),
        lag(13.5, 800),
        lag(14.0, 10),
    )
    assert (first.lag_before, second.lag_before) == (10, 10)
    assert first.caught_up_after_s == pytest.approx(4.0)
    assert second.caught_up_after_s == pytest.approx(2.0)


def test_what_an_earlier_fault_piled_up_is_not_the_level_before_the_next() -> None:
    _, second = judge(
        lag(9.5, 10),
        fault(10.0, "f1"),
        sent(10.2, ("a", 0, 10.2), ("b", 0, 12.2)),
        lag(10.9, 800),
        seen(11.0, "a"),
        lag(11.5, 10),
        fault(12.0, "f2"),
        lag(12.5, 700),
        seen(13.0, "b"),
        lag(13.5, 10),
    )
    assert second.lag_before == 10
    assert second.caught_up_after_s == pytest.approx(1.5)


moments = st.integers(0, 200).map(lambda tenth: tenth / 10)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), moments, st.none() | moments), max_size=40),
    hits=st.lists(
        st.tuples(moments, st.none() | st.sets(st.integers(0, 3), min_size=1)),
        min_size=1,
        max_size=4,
    ),
)
def test_recovery_agrees_with_its_definition_read_aloud(
    rows: list[tuple[int, float, float | None]], hits: list[tuple[float, set[int] | None]]
) -> None:
    inputs = [Journey(("in", p), intended, out) for p, intended, out in rows]
    faults = [fault(t, f"f{i}", partitions=victim) for i, (t, victim) in enumerate(hits)]
    judged = {r.fault_id: r for r in recoveries(faults, inputs)}
    for i, (t, victim) in enumerate(hits):
        firsts = []
        for p in range(4) if victim is None else victim:
            after = [j for j in inputs if j.partition == ("in", p) and j.intended > t]
            if after:
                firsts.append(min(math.inf if j.seen is None else j.seen for j in after))
        recovery = judged[f"f{i}"]
        if not firsts:
            assert recovery.outcome == "no_input"
            continue
        first = min(firsts) if victim else max(firsts)
        expected = [None if math.isinf(x) else x - t for x in (first, max(firsts))]
        assert [recovery.recovered_after_s, recovery.all_recovered_after_s] == expected


def test_a_simulated_run_recovers_from_each_kill_no_earlier_than_its_partitions_work_again() -> (
    None
):
    simulation = Simulation(seed=3)
    history = simulation.run()
    judged = recoveries(history, journeys(history))
    assert len(judged) == 10
    for recovery in judged:
        assert recovery.outcome == "recovered"
        back = [
            end
            for p, start, end in simulation.outages
            if p in recovery.partitions and start <= recovery.t < end
        ]
        assert recovery.all_recovered_after_s is not None
        assert recovery.t + recovery.all_recovered_after_s >= max(back)
    ordered = [recovery.t for recovery in judged]
    assert all(a <= b for a, b in pairwise(ordered))
    samples = [e for e in history if isinstance(e, GroupSampled)]
    caught_up = [r for r in judged if r.caught_up_after_s is not None]
    assert caught_up
    for recovery in caught_up:
        at = recovery.t + (recovery.caught_up_after_s or 0)
        [sample] = [s for s in samples if s.t == pytest.approx(at)]
        assert sample.lag <= (recovery.lag_before or 0)
