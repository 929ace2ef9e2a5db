"""No thread of a run fails unseen, and none outlives it."""

from __future__ import annotations

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
