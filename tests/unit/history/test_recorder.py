"""The history on disk."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import get_args

import pytest

from eoscheck.errors import UsageError
from eoscheck.history import (
    Event,
    FaultInjected,
    FaultMissed,
    GroupSampled,
    InstanceExited,
    PhaseStarted,
    Recorder,
    SendsAcknowledged,
    read_history,
)
from eoscheck.history.recorder import HISTORY_FILE


def test_events_come_back_as_they_were_recorded(tmp_path: Path) -> None:
    events: list[Event] = [
        PhaseStarted(t=0.5, phase="steady"),
        SendsAcknowledged(
            t=1.0,
            topic="in",
            identities=[1, "two"],
            partitions=[0, 1],
            offsets=[5, 6],
            intended=[0.1, 0.2],
        ),
        FaultInjected(
            t=2.0,
            fault_id="kill-1",
            kind="kill",
            instance=0,
            down_s=0.5,
            outlasts_session=False,
            wiped=False,
            evidence={"signal": "SIGKILL", "pid": 7},
        ),
        GroupSampled(t=3.0, lag=4, committed={0: 10}, ends={0: 14}),
    ]
    with Recorder(tmp_path) as recorder:
        for event in events:
            recorder.record(event)
    assert read_history(tmp_path) == events


def test_an_integer_identity_does_not_become_a_string(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.record(
            SendsAcknowledged(
                t=0, topic="t", identities=[1, "1"], partitions=[0, 0], offsets=[0, 1], intended=[]
            )
        )
    (event,) = read_history(tmp_path)
    assert isinstance(event, SendsAcknowledged)
    assert event.identities == [1, "1"]


def test_every_event_type_has_a_tag_of_its_own() -> None:
    tags = [event.__struct_config__.tag for event in get_args(Event)]
    assert len(set(tags)) == len(tags)


def test_an_event_is_on_disk_before_a_listener_sees_it(tmp_path: Path) -> None:
    seen: list[list[Event]] = []
    with Recorder(tmp_path) as recorder:
        recorder.subscribe(lambda _event: seen.append(read_history(tmp_path)))
        recorder.record(PhaseStarted(t=0, phase="start"))
    assert seen == [[PhaseStarted(t=0, phase="start")]]


def test_the_last_line_may_be_cut_short_by_a_killed_harness(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.record(PhaseStarted(t=0, phase="start"))
    with recorder.path.open("ab") as file:
        file.write(b'{"event":"phase_started","t":1.')
    assert read_history(tmp_path) == [PhaseStarted(t=0, phase="start")]


def test_a_damaged_line_is_an_error_with_its_number(tmp_path: Path) -> None:
    (tmp_path / HISTORY_FILE).write_bytes(
        b'{"event":"phase_started","t":1.0,"phase":"start"}\n{"event":"nonsense","t":1}\n'
    )
    with pytest.raises(UsageError, match="line 2 is not an event"):
        read_history(tmp_path)


def test_a_folder_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run's folder"):
        read_history(tmp_path)


def test_times_are_seconds_since_the_recorder_was_made(tmp_path: Path) -> None:
    readings = iter([100.0, 102.5])
    with Recorder(tmp_path, clock=lambda: next(readings)) as recorder:
        assert recorder.now() == 2.5
        assert recorder.since_start(101.0) == 1.0


def test_threads_write_whole_lines_and_listeners_see_the_order_of_the_file(tmp_path: Path) -> None:
    seen: list[Event] = []
    with Recorder(tmp_path) as recorder:
        recorder.subscribe(seen.append)

        def write(instance: int) -> None:
            for number in range(200):
                recorder.record(
                    InstanceExited(t=number, instance=instance, pid=1, code=0, expected=True)
                )

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read_history(tmp_path) == seen
    assert len(seen) == 800


def test_a_missed_fault_carries_its_reason(tmp_path: Path) -> None:
    missed = FaultMissed(t=1, fault_id="kill-2", kind="kill", reason="it had ended")
    with Recorder(tmp_path) as recorder:
        recorder.record(missed)
    assert read_history(tmp_path) == [missed]
