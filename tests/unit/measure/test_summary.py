"""Counts, liveness, timeline, lanes, and the whole as one figure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import pytest

from eoscheck.history import (
    Event,
    FaultHealed,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
    PhaseStarted,
    RunFinished,
    SendsUnconfirmed,
)
from eoscheck.measure import RunFigures, from_history
from eoscheck.measure.timeline import bin_width
from tests.unit.measure.histories import Simulation, fault, healed, lag, seen, sent


def unconfirmed(
    outcome: Literal["aborted", "failed", "indeterminate"], *identities: int
) -> SendsUnconfirmed:
    return SendsUnconfirmed(
        t=1.0, topic="in", outcome=outcome, identities=list(identities), reason="r"
    )


def test_counts_keep_every_outcome_apart() -> None:
    counts = from_history(
        [
            sent(1.0, (1, 0, 1.0), (2, 0, 1.0), (3, 1, 1.0)),
            unconfirmed("aborted", 4, 5),
            unconfirmed("failed", 6),
            unconfirmed("indeterminate", 7, 8, 9),
            seen(2.0, 1, 2),
            seen(3.0, 2, 7, 2),
        ]
    ).counts
    assert msgspec.to_builtins(counts) == {
        "sent": 9,
        "acknowledged": 3,
        "aborted": 2,
        "failed": 1,
        "indeterminate": 3,
        "observed": 5,
        "distinct": 3,
        "reprocessed": 2,
        "unobserved": 1,
        "unmatched": 1,
    }


def test_the_longest_gap_is_told_for_before_during_and_after_the_faults() -> None:
    gaps = from_history(
        [
            PhaseStarted(t=1.0, phase="steady"),
            *(seen(t, int(t * 10)) for t in (0.1, 1.2, 1.5, 1.9)),
            fault(2.0),
            seen(5.0, 50),
            healed(5.5),
            *(seen(t, int(t * 10)) for t in (6.0, 6.1, 6.5)),
            RunFinished(t=20.0, drained=True, reason="drained"),
        ]
    ).longest_gap_s
    assert gaps.before == pytest.approx(0.4)
    assert gaps.during == pytest.approx(3.1)
    assert gaps.after == pytest.approx(0.4)


def test_silence_at_the_end_is_a_gap_only_while_input_waits() -> None:
    def after(*, drained: bool) -> float | None:
        end = RunFinished(t=20.0, drained=drained, reason="r")
        outputs = [seen(4.0, 1), seen(4.5, 2)]
        return from_history([fault(2.0), healed(3.0), *outputs, end]).longest_gap_s.after

    assert after(drained=True) == pytest.approx(0.5)
    assert after(drained=False) == pytest.approx(15.5)


def test_a_fault_never_healed_lasts_to_the_end() -> None:
    gaps = from_history([seen(1.0, 1), fault(2.0), seen(4.0, 2), seen(9.0, 3)]).longest_gap_s
    assert (gaps.before, gaps.during, gaps.after) == (None, 5.0, None)


def test_a_history_cut_short_knows_by_its_last_lag_whether_input_waits() -> None:
    cut_short = [seen(1.0, 1), lag(6.0, 100)]
    assert from_history(cut_short).longest_gap_s.before == 5.0


def test_bins_add_up_to_the_records() -> None:
    history = Simulation(seed=2).run()
    figures = from_history(history)
    timeline = figures.timeline
    columns = [timeline.sent_per_s, timeline.committed_per_s, timeline.lag, timeline.held_back]
    assert len({len(column) for column in columns}) == 1
    assert sum(timeline.committed_per_s) * timeline.bin_s == pytest.approx(figures.counts.observed)
    assert sum(timeline.sent_per_s) * timeline.bin_s == pytest.approx(figures.counts.acknowledged)
    first = next(e.t for e in history if isinstance(e, OutputsObserved))
    assert timeline.committed_per_s.index(
        next(rate for rate in timeline.committed_per_s if rate)
    ) == math.floor(first / timeline.bin_s)


def test_lag_shows_the_highest_sample_of_a_bin_and_nothing_where_there_was_none() -> None:
    timeline = from_history([lag(0.0, 3), lag(0.05, 9), lag(0.1, 0), lag(0.65, 4)]).timeline
    assert timeline.bin_s == 0.2
    assert timeline.lag == [9, None, None, 4]


def test_held_back_is_what_lies_between_the_last_stable_offset_and_the_high_watermark() -> None:
    sample = LogSampled(
        t=0.0, topic="out", high_watermarks={0: 10, 1: 7}, last_stable_offsets={0: 4, 1: 7}
    )
    assert from_history([sample]).timeline.held_back == [6]


def test_a_log_that_moved_between_two_questions_holds_nothing_back() -> None:
    sample = LogSampled(
        t=0.0, topic="out", high_watermarks={0: 10, 1: 10}, last_stable_offsets={0: 14, 1: 9}
    )
    assert from_history([sample]).timeline.held_back == [1]


@pytest.mark.parametrize("duration", [1.0, 60.0, 600.0, 3600.0, 86_400.0, 864_000.0])
def test_a_timeline_stays_small_however_long_the_run(duration: float) -> None:
    assert bin_width(duration) >= 0.2
    assert duration / bin_width(duration) <= 3000


def test_a_lane_shows_when_an_instance_started_worked_and_was_down() -> None:
    def started(t: float, attempt: int) -> InstanceStarted:
        return InstanceStarted(t=t, instance=0, pid=attempt, attempt=attempt, state_dir="s")

    [lane] = from_history(
        [
            started(1.0, 1),
            InstanceReady(t=2.0, instance=0, evidence="e"),
            InstanceExited(t=5.0, instance=0, pid=1, code=-9, expected=True),
            started(7.0, 2),
            InstanceReady(t=8.0, instance=0, evidence="e"),
            fault(10.0, kind="pause", partitions=None),
            FaultHealed(t=11.0, fault_id="f1", kind="pause", instance=0),
            PhaseStarted(t=11.5, phase="drain"),
            InstanceExited(t=12.0, instance=0, pid=2, code=0, expected=True),
            PhaseStarted(t=12.5, phase="audit"),
            started(13.0, 3),
        ]
    ).lanes
    assert lane.starts == 2
    assert [(s.state, s.start, s.end) for s in lane.spans] == [
        ("starting", 1.0, 2.0),
        ("up", 2.0, 5.0),
        ("down", 5.0, 7.0),
        ("starting", 7.0, 8.0),
        ("up", 8.0, 10.0),
        ("paused", 10.0, 11.0),
        ("up", 11.0, 12.0),
        ("stopped", 12.0, 12.5),
    ]


def test_an_instance_nobody_saw_become_ready_is_shown_as_running() -> None:
    [lane] = from_history(
        [
            InstanceStarted(t=1.0, instance=0, pid=1, attempt=1, state_dir="s"),
            InstanceExited(t=2.0, instance=0, pid=1, code=-9, expected=True),
            InstanceStarted(t=3.0, instance=0, pid=2, attempt=2, state_dir="s"),
            PhaseStarted(t=4.0, phase="audit"),
        ]
    ).lanes
    assert [(s.state, s.start) for s in lane.spans] == [("up", 1.0), ("down", 2.0), ("up", 3.0)]


def test_an_instance_that_ends_by_itself_is_down_even_while_draining() -> None:
    [lane] = from_history(
        [
            PhaseStarted(t=1.0, phase="drain"),
            InstanceExited(t=2.0, instance=0, pid=2, code=1, expected=False),
            PhaseStarted(t=3.0, phase="audit"),
        ]
    ).lanes
    assert [s.state for s in lane.spans] == ["down"]


def test_a_pause_that_is_healed_twice_is_one_stretch_of_work() -> None:
    resumed = [FaultHealed(t=t, fault_id="f1", kind="pause", instance=0) for t in (2.0, 3.0)]
    paused = fault(1.0, kind="pause")
    [lane] = from_history([paused, *resumed, PhaseStarted(t=4.0, phase="audit")]).lanes
    assert [(s.state, s.start, s.end) for s in lane.spans] == [
        ("paused", 1.0, 2.0),
        ("up", 2.0, 4.0),
    ]


def test_the_audit_is_no_part_of_the_runs_duration() -> None:
    figures = from_history([seen(1.0, 1), PhaseStarted(t=3.0, phase="audit"), lag(50.0, 0)])
    assert figures.duration_s == 3.0


def test_an_empty_history_has_figures_and_invents_none() -> None:
    figures = from_history([])
    assert figures.recoveries == []
    assert figures.counts.sent == figures.counts.observed == 0
    assert figures.latency.overall is None
    assert figures.longest_gap_s.before is None


def test_figures_survive_json_unchanged_and_depend_on_nothing_but_the_history() -> None:
    history: list[Event] = Simulation(seed=5, duplicates=True).run()
    figures = from_history(history)
    assert msgspec.json.decode(msgspec.json.encode(figures), type=RunFigures) == figures
    read_back = [
        msgspec.json.decode(msgspec.json.encode(event), type=Event)  # type: ignore[arg-type]
        for event in history
    ]
    assert from_history(read_back) == figures
