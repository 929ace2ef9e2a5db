"""A process ends in bounded time, whatever its clients do."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from reference_app.payments.topology import payments_topology
from reference_app.streams.app import StreamsApp
from reference_app.streams.errors import DirtyCloseError, StuckError
from reference_app.streams.metrics import Recorder
from reference_app.streams.options import StreamsOptions
from reference_app.streams.stream_thread import StreamThread
from reference_app.streams.task import Task


class Exits:
    """What would have ended the process."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.came = threading.Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.came.set()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> Exits:
    recorded = Exits()
    monkeypatch.setattr(os, "_exit", recorded)
    return recorded


def app(folder: Path, *, close_timeout_ms: int) -> StreamsApp:
    options = StreamsOptions(
        application_id="app",
        bootstrap_server="127.0.0.1:1",
        state_dir=folder,
        close_timeout_ms=close_timeout_ms,
    )
    return StreamsApp(payments_topology(), options)


def test_a_session_that_cannot_be_closed_ends_the_process(tmp_path: Path, exits: Exits) -> None:
    """Else a client that hangs would leave a process that neither works nor restarts."""
    with app(tmp_path, close_timeout_ms=20)._closing():
        assert exits.came.wait(10)
    assert exits.codes == [DirtyCloseError.exit_code]


def test_a_session_that_closes_in_time_goes_on(tmp_path: Path, exits: Exits) -> None:
    with app(tmp_path, close_timeout_ms=60)._closing():
        pass
    assert not exits.came.wait(0.2)


def test_a_stop_ends_the_process_within_its_bound(tmp_path: Path, exits: Exits) -> None:
    app(tmp_path, close_timeout_ms=20).stop()
    assert exits.came.wait(10)
    assert exits.codes == [DirtyCloseError.exit_code]


def test_a_worker_that_never_comes_back_from_its_client_ends_the_process(
    tmp_path: Path, exits: Exits
) -> None:
    stuck = app(tmp_path, close_timeout_ms=1000)
    limit_s = 2 * stuck._options.max_poll_interval_ms / 1000
    slow = SimpleNamespace(number=0, turn_s=limit_s - 1)
    stuck._workers = [slow]  # type: ignore[list-item]
    stuck._exit_if_stuck()
    assert exits.codes == []
    slow.turn_s = limit_s + 1
    stuck._exit_if_stuck()
    assert exits.codes == [StuckError.exit_code]


class TurningWorker:
    """Shows how long its turn has taken, in the middle of it and after it."""

    tasks: ClassVar[dict[int, Task]] = {}
    committer = SimpleNamespace(in_transaction=False)
    lag = None

    def __init__(self, stopping: threading.Event) -> None:
        self.thread: StreamThread | None = None
        self.seen: list[bool] = []
        self._stopping = stopping

    def start(self, stopping: threading.Event) -> None:
        self._look()

    def step(self) -> None:
        self._look()
        self._stopping.set()

    def close(self) -> None:
        self._look()

    def _look(self) -> None:
        assert self.thread is not None
        self.seen.append(self.thread.turn_s > 0)


def test_only_a_turn_is_bounded_not_the_wait_for_a_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopping = threading.Event()
    worker = TurningWorker(stopping)
    process: Any = SimpleNamespace(
        stopping=stopping,
        options=StreamsOptions(application_id="app", bootstrap_server="127.0.0.1:1"),
        clients=SimpleNamespace(admin=lambda: None),
        topics=lambda *_, **__: None,
    )
    thread = StreamThread(
        process,
        number=0,
        transactional_id=None,
        standbys=None,
        recorder=Recorder(worker=0, transactional_id=None),
    )
    worker.thread = thread
    monkeypatch.setattr(thread, "_worker", lambda *_: worker)
    thread.run()
    assert worker.seen == [False, True, False]
