"""The longest time without an output while input waited: of a run, and of each fault."""

from __future__ import annotations

import pytest

from eoscheck.history import Event, PhaseStarted, RunFinished
from eoscheck.measure import RunFigures, from_history
from tests.unit.measure.histories import fault, healed, seen, sent


def figures(*events: Event, drained: bool = True, end: float = 30.0) -> RunFigures:
    phases = [PhaseStarted(t=1.0, phase="steady"), PhaseStarted(t=20.0, phase="drain")]
    finished = RunFinished(t=end, drained=drained, reason="r")
    return from_history(sorted([*phases, *events, finished], key=lambda event: event.t))


def outage(*events: Event, drained: bool = True) -> tuple[float, float] | None:
    found = figures(*events, drained=drained).longest_outage
    return None if found is None else (found.t, pytest.approx(found.end))


def test_it_runs_from_one_output_to_the_next_while_input_waits() -> None:
    load = sent(9.0, (1, 0, 2.0), (2, 0, 2.5), (3, 0, 3.5), (4, 0, 6.0))
    assert outage(load, seen(3.0, 1, 2), seen(6.0, 3), seen(6.5, 4)) == (3.5, 6.0)
    early = sent(9.0, (1, 0, 2.0), (2, 0, 2.5), (3, 0, 2.9), (4, 0, 6.0))
    assert outage(early, seen(3.0, 1, 2), seen(6.0, 3), seen(6.5, 4)) == (3.0, 6.0)


def test_silence_in_which_nothing_had_to_come_out_is_none() -> None:
    load = sent(19.0, (1, 0, 2.0), (2, 0, 18.0))
    assert outage(load, seen(2.2, 1), seen(18.5, 2)) == (18.0, 18.5)


def test_what_another_partition_gives_meanwhile_ends_it() -> None:
    load = sent(9.0, (1, 0, 2.0), (2, 1, 5.0))
    assert outage(load, seen(6.0, 2, partition=1), seen(8.0, 1)) == (2.0, 6.0)


def test_one_that_begins_before_the_subject_works_or_after_the_load_is_not_counted() -> None:
    assert outage(sent(1.0, (1, 0, 0.5)), seen(1.5, 1)) == (1.0, 1.5)
    assert outage(sent(20.0, (1, 0, 20.5)), seen(29.0, 1)) is None
    assert outage(sent(20.0, (1, 0, 19.5)), seen(29.0, 1)) == (19.5, 29.0)


@pytest.mark.parametrize(("drained", "expected"), [(True, (2.0, 2.1)), (False, (3.0, 30.0))])
def test_silence_to_the_end_counts_only_while_input_waits(
    drained: bool, expected: tuple[float, float]
) -> None:
    load = sent(9.0, (1, 0, 2.0), (2, 0, 3.0))
    assert outage(load, seen(2.1, 1), drained=drained) == expected


def test_a_run_in_which_nothing_waited_has_none() -> None:
    assert outage() is None


def test_each_fault_has_the_longest_that_touches_it() -> None:
    load = sent(20.0, *((n, 0, 2.0 + n) for n in range(10)))
    outputs = [seen(2.0 + n + (0.9 if n == 5 else 0.2), n) for n in range(10)]
    faults = [fault(3.5, "f1"), healed(4.1, "f1"), fault(6.5, "f2"), healed(7.2, "f2")]
    run = figures(load, *outputs, *faults)
    first, second = run.recoveries
    assert first.longest_outage_s == pytest.approx(0.2)
    assert second.longest_outage_s == pytest.approx(0.9)
    assert run.longest_outage is not None
    assert (run.longest_outage.t, run.longest_outage.end) == (7.0, pytest.approx(7.9))
