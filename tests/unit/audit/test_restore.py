"""Restores that a subject says it made, against what the run saw of its changelog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.checks.restore import Restores, is_of
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.records import Place
from eoscheck.history import Recorder, read_history
from eoscheck.history.events import (
    Event,
    FaultHealed,
    FaultInjected,
    InstanceStarted,
)
from eoscheck.history.restores import (
    ChangelogSampled,
    RestoreEnded,
    RestoreEvent,
    RestoreStarted,
)
from eoscheck.subject.restores import parse_restore, restores_in
from tests.unit.audit.tables import reasons

LOG = "app-balances-changelog"
COMMITTED = np.array([0, 1, 2, 5, 6, 9, 12, 20, 30], dtype=np.int64)
"""Markers and aborted records in between."""


def sampled(t: float, end: int, topic: str = LOG) -> ChangelogSampled:
    return ChangelogSampled(t=t, topic=topic, high_watermarks={0: end})


def restored(
    t: float, to: int, *, end: int | None = None, store: str = "balances"
) -> list[RestoreEvent]:
    """Within a tenth of a second."""
    return [
        RestoreStarted(t=t, instance=0, store=store, partition=0, start=0, end=end or to),
        RestoreEnded(t=t + 0.1, instance=0, store=store, partition=0, restored_to=to),
    ]


def fault(t: float, down_s: float, kind: str = "pause") -> list[Event]:
    return [
        FaultInjected(
            t=t,
            fault_id="f",
            kind=kind,
            instance=0,
            down_s=down_s,
            outlasts_session=True,
            wiped=False,
            evidence={},
        ),
        FaultHealed(t=t + down_s, fault_id="f", kind=kind, instance=0),
    ]


def check(*history: Event, committed: object = COMMITTED, gaps: Sequence[str] = ()) -> Checked:
    restores = Restores(history, topic=LOG)
    rows = np.asarray(committed, dtype=np.int64)
    restores.add(0, rows[:4])
    restores.add(0, rows[4:])
    restores.add(1, rows)
    return restores.check(gaps=gaps, limit=10)


def only(checked: Checked) -> Anomaly:
    assert not checked.unknowns
    (found,) = checked.found
    assert found.code is Code.RESTORE_SHORT
    assert found.total == 1
    return found.anomalies[0]


def test_a_restore_that_ends_below_committed_records_is_short() -> None:
    found = only(check(sampled(5, 15), *restored(10, 5)))
    assert found.place == Place(LOG, 0, 5)
    assert found.offsets == [5, 6, 9, 12]
    assert found.facts["left_out"] == 4
    assert found.detail == (
        "instance 0 restored to 5 at 10.1 s, and left out 4 committed records below 15, the end of "
        "the changelog when it began"
    )


def test_a_restore_to_the_end_is_right() -> None:
    checked = check(sampled(5, 15), *restored(10, 15))
    assert not checked.found
    assert not checked.unknowns
    assert checked.counts == {"restores": 1}


def test_markers_and_aborted_records_at_the_end_are_nothing_to_restore() -> None:
    assert not check(sampled(5, 20), *restored(10, 13)).found


def test_what_was_written_after_the_restore_began_is_not_asked_for() -> None:
    assert not check(sampled(5, 13), *restored(10, 13), sampled(10.05, 31)).found


def test_a_sample_just_before_the_line_proves_nothing() -> None:
    assert not check(sampled(5, 13), sampled(9.9, 31), *restored(10, 13)).found


def test_a_process_that_was_held_up_may_have_looked_up_the_end_before() -> None:
    held_up = [sampled(5, 13), sampled(9, 31), *fault(6, 6), *restored(12.5, 13)]
    assert not check(*held_up).found
    only(check(sampled(5, 13), sampled(9, 31), *restored(12.5, 13)))


def test_a_new_process_looked_up_the_end_after_its_start() -> None:
    started = InstanceStarted(t=12, instance=0, pid=1, attempt=2, state_dir="s")
    killed = [*fault(6, 6, kind="kill"), started, sampled(9, 31), *restored(12.5, 13)]
    only(check(sampled(5, 13), *killed))


def test_a_restore_that_never_ended_is_not_judged() -> None:
    checked = check(sampled(5, 31), restored(10, 5)[0])
    assert not checked.found
    assert checked.counts == {"restores": 0}


def test_each_end_belongs_to_the_last_begin() -> None:
    interrupted = RestoreStarted(t=3, instance=0, store=LOG, partition=0, start=0, end=5)
    assert only(check(interrupted, sampled(5, 15), *restored(10, 5))).facts["began_s"] == 10


def test_a_history_keeps_them(tmp_path: Path) -> None:
    events = [*restored(10, 5), sampled(5, 15)]
    with Recorder(tmp_path) as recorder:
        for event in events:
            recorder.record(event)
    assert read_history(tmp_path) == events


def test_restores_of_other_stores_are_not_this_changelogs() -> None:
    assert check(sampled(5, 31), *restored(10, 5, store="counts")).counts == {"restores": 0}
    assert is_of(LOG, LOG)
    assert not is_of("alances", LOG)


def test_a_restore_before_the_end_was_ever_seen_is_unknown() -> None:
    checked = check(*restored(10, 5), sampled(11, 31))
    assert not checked.found
    assert "1 restores" in reasons(checked)[0]


def test_a_changelog_that_is_seen_empty_later_was_so_before() -> None:
    nothing = ChangelogSampled(t=11, topic=LOG, high_watermarks={})
    checked = check(*restored(10, 5), nothing, sampled(12, 31))
    assert not checked.found
    assert not checked.unknowns


def test_records_that_went_meanwhile_make_a_short_restore_unknown() -> None:
    checked = check(sampled(5, 15), *restored(10, 5), committed=[20, 30], gaps=["below 16 removed"])
    assert not checked.found
    assert "cannot be told: below 16 removed" in reasons(checked)[0]


def test_no_record_is_needed_where_all_restores_came_to_the_end() -> None:
    assert not Restores([sampled(5, 15), *restored(10, 15)], topic=LOG).needs_records
    assert Restores([sampled(5, 15), *restored(10, 14)], topic=LOG).needs_records


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


def read(line: str) -> RestoreEvent | None:
    return parse_restore(line, instance=3, since_start=lambda unix: unix - NOON)


def test_the_reference_apps_lines_are_read() -> None:
    assert read(
        "2026-11-24T12:00:05.500Z INFO event=restore_start task=1 store=balances start=0 end=7 "
        "wiped=no\n"
    ) == RestoreStarted(t=5.5, instance=3, store="balances", partition=1, start=0, end=7)
    assert read(
        "2026-11-24T12:00:06.000Z INFO event=restore_end task=1 store=balances end=7 records=3 "
        "bytes=90 seconds=0.5"
    ) == RestoreEnded(t=6.0, instance=3, store="balances", partition=1, restored_to=7)


def test_the_same_is_read_as_json() -> None:
    line = (
        '{"event": "restore_end", "time": "2026-11-24T12:00:06+00:00", "changelog": "x-changelog", '
        '"partition": 1, "end": 7}'
    )
    expected = RestoreEnded(t=6.0, instance=3, store="x-changelog", partition=1, restored_to=7)
    assert read(line) == expected
    assert read(line.replace('"2026-11-24T12:00:06+00:00"', str(NOON + 6))) == expected


@pytest.mark.parametrize(
    "line",
    [
        "restore_end of something",
        "2026-11-24T12:00:06Z event=restore_batch task=1 store=s end=7",
        "event=restore_end task=1 store=s end=7",
        "2026-11-24T12:00:06 event=restore_end task=1 store=s end=7",
        "2026-11-24T12:00:06Z event=restore_end task=one store=s end=7",
        "2026-11-24T12:00:06Z event=restore_end store=s end=7",
        "2026-11-24T12:00:06Z event=restore_start task=1 store=s end=7",
        '{"event": "restore_end", "partition": 1',
        '["restore_end"]',
        r'2026-11-24T12:00:06Z event=restore_end reason="\x" task=1 store=s end=7',
        '{"event": "restore_end", "time": 1e300, "store": "s", "partition": 1, "end": 1e400}',
        '{"event": ["restore_end"], "time": 1}',
    ],
)
def test_lines_that_do_not_say_enough_are_passed_over(line: str) -> None:
    assert read(line) is None


def test_a_log_is_read_whole_and_may_hold_anything(tmp_path: Path) -> None:
    log = tmp_path / "attempt-1.log"
    log.write_bytes(
        b"\xff\xfe noise restore_\n"
        b"2026-11-24T12:00:05Z INFO event=restore_start task=1 store=s start=0 end=7\n"
        b"Traceback\n"
        b"2026-11-24T12:00:06Z INFO event=restore_end task=1 store=s end=7"
    )
    found = list(restores_in(log, instance=0, since_start=lambda unix: unix - NOON))
    assert [type(event) for event in found] == [RestoreStarted, RestoreEnded]
    assert not list(restores_in(tmp_path / "none.log", instance=0, since_start=float))
