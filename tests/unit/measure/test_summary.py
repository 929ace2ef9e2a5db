"""Counts, liveness, timeline, lanes, and the whole as one figure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import pytest

from eoscheck.history import (
    BrokerChanged,
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
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.measure import RunFigures, from_history
from eoscheck.measure.figures import BIN_S
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
    assert bin_width(duration) >= 1
    assert duration / BIN_S / bin_width(duration) <= 3600


@pytest.mark.thorough
def test_wide_bins_keep_a_spike_a_standstill_and_the_extremes_of_the_lag() -> None:
    """An hour, of which 0.2 s stood still and 0.2 s were a hundred times as busy."""
    busy = {9000: 0, 9100: 1000}
    outputs: list[Event] = [
        seen(t / 5 + 0.1, *range(t * 1000, t * 1000 + busy.get(t, 10))) for t in range(18_000)
    ]
    timeline = from_history([*outputs, lag(1801.0, 7), lag(1801.1, 900), lag(1801.2, 3)]).timeline
    assert timeline.bin_s > BIN_S
    assert len(timeline.committed_per_s) == len(timeline.committed_high) <= 3600
    assert timeline.committed_low.count(0.0) == timeline.committed_high.count(5000.0) == 1
    assert max(timeline.committed_high) == 5000.0
    i = int(1801 / timeline.bin_s)
    assert (timeline.lag_low[i], timeline.lag[i]) == (3, 900)
    for low, mean, high in zip(
        timeline.committed_low, timeline.committed_per_s, timeline.committed_high, strict=True
    ):
        assert low <= mean <= high


def test_the_finest_bins_have_no_extremes_beside_them() -> None:
    timeline = from_history([seen(1.0, 1, 2)]).timeline
    assert timeline.bin_s == BIN_S
    assert timeline.committed_low == timeline.committed_high == timeline.lag_low == []


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
        ("up", 1.0, 2.0),
        ("running", 2.0, 5.0),
        ("down", 5.0, 7.0),
        ("up", 7.0, 8.0),
        ("running", 8.0, 10.0),
        ("paused", 10.0, 11.0),
        ("running", 11.0, 12.0),
        ("stopped", 12.0, 12.5),
    ]


def test_an_instance_nobody_saw_become_ready_is_up_and_no_more() -> None:
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


def test_a_restore_is_shown_within_what_the_instance_is_otherwise() -> None:
    def restore(start: float, end: float, store: str) -> list[RestoreStarted | RestoreEnded]:
        return [
            RestoreStarted(t=start, instance=0, store=store, partition=0, start=0, end=9),
            RestoreEnded(t=end, instance=0, store=store, partition=0, restored_to=9),
        ]

    [lane] = from_history(
        [
            InstanceStarted(t=1.0, instance=0, pid=1, attempt=1, state_dir="s"),
            InstanceReady(t=6.0, instance=0, evidence="e"),
            InstanceExited(t=8.0, instance=0, pid=1, code=-9, expected=True),
            PhaseStarted(t=9.0, phase="audit"),
            *restore(2.0, 3.5, "balances"),  # told by its log, after the run
            *restore(3.0, 4.0, "seen"),
            *restore(7.0, 7.5, "balances"),
            RestoreStarted(t=7.8, instance=0, store="cut short", partition=0, start=0, end=9),
        ]
    ).lanes
    assert [(s.state, s.start, s.end) for s in lane.spans] == [
        ("up", 1.0, 2.0),
        ("restoring", 2.0, 4.0),
        ("up", 4.0, 6.0),
        ("running", 6.0, 7.0),
        ("restoring", 7.0, 7.5),
        ("running", 7.5, 8.0),
        ("down", 8.0, 9.0),
    ]


def test_each_broker_has_a_lane_behind_those_of_the_instances() -> None:
    instance, one, two = from_history(
        [
            BrokerChanged(t=0.0, broker=1, state="running"),
            BrokerChanged(t=0.0, broker=2, state="running"),
            InstanceStarted(t=1.0, instance=0, pid=1, attempt=1, state_dir="s"),
            BrokerChanged(t=2.0, broker=2, state="down"),
            BrokerChanged(t=3.0, broker=2, state="up"),
            BrokerChanged(t=4.0, broker=2, state="running"),
            BrokerChanged(t=4.5, broker=2, state="running"),
            PhaseStarted(t=5.0, phase="audit"),
        ]
    ).lanes
    assert [lane.name for lane in (instance, one, two)] == ["instance 0", "broker 1", "broker 2"]
    assert (one.starts, two.starts) == (1, 2)
    assert [(s.state, s.start, s.end) for s in two.spans] == [
        ("running", 0.0, 2.0),
        ("down", 2.0, 3.0),
        ("up", 3.0, 4.0),
        ("running", 4.0, 5.0),
    ]
