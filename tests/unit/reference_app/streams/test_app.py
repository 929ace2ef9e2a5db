"""A process ends in bounded time, whatever its clients do."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from reference_app.payments.topology import payments_topology
from reference_app.streams.app import StreamsApp
from reference_app.streams.errors import DirtyCloseError
from reference_app.streams.options import StreamsOptions


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
