"""No thread of a run fails unseen, and none outlives it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.run.background import Background


def test_a_failure_ends_the_pause_at_once() -> None:
    def fails() -> None:
        raise InfrastructureError("the topic is gone")

    with pytest.raises(InfrastructureError, match="the topic is gone"):
        with Background(name="reader") as background:
            background.start(fails)
            background.pause(60)


def test_a_failure_nobody_paused_for_shows_on_the_way_out() -> None:
    def fails() -> None:
        raise InfrastructureError("too late")

    with pytest.raises(InfrastructureError, match="too late"):
        with Background(name="reader") as background:
            background.start(fails)


def test_what_went_wrong_first_is_not_hidden_by_a_thread() -> None:
    def fails() -> None:
        raise InfrastructureError("second")

    with pytest.raises(InfrastructureError, match="first"):
        with Background(name="reader") as background:
            background.start(fails)
            raise InfrastructureError("first")


def test_leaving_the_block_stops_the_threads() -> None:
    ended = threading.Event()
    with Background(name="reader") as background:
        background.start(lambda: (background.stop.wait(60), ended.set()))
    assert ended.is_set()


def test_a_thread_that_does_not_end_is_told() -> None:
    never = threading.Event()
    with (
        pytest.raises(InfrastructureError, match="the observer thread did not end within"),
        Background(name="observer", end_s=0.05) as background,
    ):
        background.start(never.wait)
    never.set()


STUCK = """
import threading
from eoscheck.run.background import Background
try:
    with Background(name="observer", end_s=0.05) as background:
        background.start(threading.Event().wait)
except Exception as error:
    print(error)
"""


def test_a_thread_that_is_stuck_does_not_hold_the_process() -> None:
    """An executor's threads would be joined at exit, without a bound."""
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=30, check=True
    )
    assert "did not end" in done.stdout
