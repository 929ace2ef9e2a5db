from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from eoscheck.cluster.brokers import Brokers
from eoscheck.history import BrokerChanged, Recorder, read_history
from eoscheck.run.watched_brokers import WatchedBrokers


class Two:
    """Brokers that do as they are told, and one that may end by itself."""

    ids = (1, 2)

    def __init__(self) -> None:
        self.up = {1, 2}

    def is_up(self, broker: int) -> bool:
        return broker in self.up

    def kill(self, broker: int) -> dict[str, Any]:
        self.up.discard(broker)
        return {"signal": "SIGKILL"}

    pause = kill

    def heal(self, broker: int) -> dict[str, Any]:
        self.up.add(broker)
        return {}

    def wait_ready(self, broker: int, *, timeout_s: float) -> None: ...


def test_each_change_of_a_broker_is_an_event(tmp_path: Path) -> None:
    brokers = Two()
    with Recorder(tmp_path) as recorder:
        watched = WatchedBrokers(cast(Brokers, brokers), recorder=recorder)
        assert watched.kill(2) == {"signal": "SIGKILL"}
        watched.heal(2)
        watched.wait_ready(2, timeout_s=1.0)
        watched.heal(2)  # it runs: nothing changes
        watched.pause(1)
        assert not watched.is_up(1)  # paused, and not down
    told = [e for e in read_history(tmp_path) if isinstance(e, BrokerChanged)]
    assert [(e.broker, e.state) for e in told] == [
        (1, "running"),
        (2, "running"),
        (2, "down"),
        (2, "up"),
        (2, "running"),
        (1, "paused"),
    ]


def test_a_broker_that_ended_by_itself_is_down_when_somebody_looks(tmp_path: Path) -> None:
    brokers = Two()
    with Recorder(tmp_path) as recorder:
        watched = WatchedBrokers(cast(Brokers, brokers), recorder=recorder)
        brokers.up.discard(2)  # its disk is full
        assert not watched.is_up(2)
        assert not watched.is_up(2)
    told = [e for e in read_history(tmp_path) if isinstance(e, BrokerChanged)]
    assert [e.state for e in told if e.broker == 2] == ["running", "down"]
