"""What people and harnesses can see of a running app: its metrics file and its log lines."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from reference_app.streams.logs import _Sparingly, event
from reference_app.streams.metrics import Metrics, Recorder
from reference_app.streams.restore import Restored
from tests.unit.reference_app.streams.fakes import Calls, make_task


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def recorder(path: Path, clock: Clock) -> Recorder:
    return Recorder(
        path,
        application_id="app",
        process_id="p",
        transactional_id="app-p-0",
        processing_guarantee="exactly_once_v2",
        clock=clock,
        wall_clock=clock,
    )


def read(path: Path) -> Metrics:
    return msgspec.json.decode(path.read_bytes(), type=Metrics)


def test_metrics_tell_tasks_transaction_and_restores(tmp_path: Path) -> None:
    path, clock = tmp_path / "metrics.json", Clock()
    made = recorder(path, clock)
    task = make_task(tmp_path, Calls(), committed=10)
    restored = Restored(
        partition=0, store="s", start=3, end=9, records=5, bytes=50, seconds=0.5, wiped=None
    )
    made.processed(7)
    made.committed()
    made.aborted()
    made.restored(restored)
    made.write_if_due({0: task}, in_transaction=True)
    metrics = read(path)
    assert (metrics.state, metrics.in_transaction) == ("running", True)
    assert (metrics.records, metrics.commits, metrics.aborts) == (7, 1, 1)
    assert metrics.transactional_id == "app-p-0"
    assert [(t.partition, t.position, t.committed) for t in metrics.tasks] == [(0, 10, 10)]
    assert [(r.start, r.end, r.records, r.bytes) for r in metrics.restores] == [(3, 9, 5, 50)]
    task.close()


def test_metrics_are_written_a_few_times_a_second_and_at_the_end(tmp_path: Path) -> None:
    path, clock = tmp_path / "metrics.json", Clock()
    made = recorder(path, clock)
    made.write_if_due({}, in_transaction=False)
    clock.now += 0.1
    made.processed(5)
    made.write_if_due({}, in_transaction=False)
    assert read(path).records == 0, "not due yet"
    clock.now += 0.2
    made.write_if_due({}, in_transaction=False)
    assert read(path).records == 5
    made.write_last(exit_code=2, reason="why")
    last = read(path)
    assert (last.state, last.exit_code, last.reason) == ("closed", 2, "why")


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
