"""What people and harnesses can see of a running app: its metrics file and its log lines."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from reference_app.streams.logs import _Sparingly, event
from reference_app.streams.metrics import Metrics, MetricsFile, Recorder
from reference_app.streams.restore import Restored
from reference_app.streams.standby import StandbyOffsets
from tests.unit.reference_app.streams.fakes import Calls, make_task, new_task


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """A process with two workers, of which the first records something."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.path = path
        self.first, self.second = (
            Recorder(
                worker=number,
                transactional_id=f"app-p-{number}",
                clock=self.clock,
                wall_clock=self.clock,
            )
            for number in range(2)
        )
        self.file = MetricsFile(
            path,
            [self.first, self.second],
            application_id="app",
            process_id="p",
            processing_guarantee="exactly_once_v2",
            standbys=lambda: [StandbyOffsets(3, {"s": 17})],
            wall_clock=self.clock,
        )

    def read(self) -> Metrics:
        self.file.write()
        return msgspec.json.decode(self.path.read_bytes(), type=Metrics)


def test_metrics_tell_tasks_transaction_and_restores(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "metrics.json")
    made = shown.first
    task = make_task(tmp_path, Calls(), committed=10)
    restored = Restored(
        partition=0, store="s", start=3, end=9, records=5, bytes=50, seconds=0.5, wiped=None
    )
    made.processed(7)
    made.committed()
    made.aborted()
    made.dead_lettered()
    made.restored(restored)
    made.show_if_due({0: task}, in_transaction=True, lag=lambda partition: 90 + partition)
    metrics = shown.read()
    assert (metrics.state, metrics.in_transaction) == ("running", True)
    assert (metrics.records, metrics.commits, metrics.aborts) == (7, 1, 1)
    assert metrics.dead_letters == 1
    assert [w.transactional_id for w in metrics.workers] == ["app-p-0", "app-p-1"]
    assert [(t.partition, t.worker, t.position, t.committed, t.lag) for t in metrics.tasks] == [
        (0, 0, 10, 10, 90)
    ]
    assert [(r.start, r.end, r.records, r.bytes) for r in metrics.restores] == [(3, 9, 5, 50)]
    assert [(s.partition, s.offsets) for s in metrics.standbys] == [(3, {"s": 17})]
    task.close()


def test_the_process_counts_for_all_its_workers(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "metrics.json")
    for made, records in ((shown.first, 7), (shown.second, 5)):
        made.processed(records)
        made.show_if_due({}, in_transaction=made is shown.second)
    metrics = shown.read()
    assert (metrics.records, metrics.in_transaction) == (12, True)


def test_a_process_restores_as_long_as_one_of_its_tasks_does(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "metrics.json")
    running = make_task(tmp_path / "a", Calls())
    restoring = new_task(tmp_path / "b", Calls(), partition=1)
    restoring.start_restoring()
    shown.first.show_if_due({0: running}, in_transaction=False)
    shown.second.show_if_due({1: restoring}, in_transaction=False)
    assert shown.read().state == "restoring"
    running.close()
    restoring.close()


def test_metrics_are_taken_a_few_times_a_second_and_at_the_end(tmp_path: Path) -> None:
    shown = Shown(tmp_path / "metrics.json")
    made = shown.first
    made.show_if_due({}, in_transaction=False)
    shown.clock.now += 0.1
    made.processed(5)
    made.show_if_due({}, in_transaction=False)
    assert shown.read().records == 0, "not due yet"
    shown.clock.now += 0.2
    made.show_if_due({}, in_transaction=False)
    assert shown.read().records == 5
    made.processed(1)
    made.show_closed()
    shown.file.write(exit_code=2, reason="why")
    last = msgspec.json.decode(shown.path.read_bytes(), type=Metrics)
    assert (last.state, last.exit_code, last.reason, last.records) == ("closed", 2, "why", 6)


def test_a_disk_without_room_is_told_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = Shown(tmp_path / "full" / "metrics.json")
    (tmp_path / "full").write_text("a file, where the metrics' folder should be")
    for _ in range(3):
        shown.file.write()
    assert [line.split()[0] for line in caplog.messages] == ["event=metrics_not_written"]
    (tmp_path / "full").unlink()
    shown.file.write()
    assert shown.read().records == 0
    (tmp_path / "full" / "metrics.json").unlink()
    (tmp_path / "full").rmdir()
    (tmp_path / "full").write_text("once more")
    shown.file.write()
    assert len(caplog.messages) == 2


def test_a_log_line_is_key_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        event(logging.getLogger("x"), "restore_end", task=3, seconds=0.12345, reason='a "b"')
    assert caplog.messages == ['event=restore_end task=3 seconds=0.123 reason="a \\"b\\""']


def test_an_absent_broker_does_not_flood_the_log() -> None:
    clock = Clock()
    sparingly = _Sparingly(clock=clock)

    def passes(text: str) -> bool:
        return sparingly.filter(logging.makeLogRecord({"msg": text}))

    assert [passes("FAIL connection refused") for _ in range(3)] == [True, False, False]
    assert passes("SESSTMOUT session timed out")
    clock.now += 11
    assert passes("FAIL connection refused")
