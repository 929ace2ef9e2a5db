"""Brokers whose ups and downs are written into the run's history as they happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from eoscheck.cluster.brokers import Brokers
from eoscheck.history import BrokerChanged, Recorder


class WatchedBrokers:
    """The same `Brokers`, with a `BrokerChanged` for each as it is, and for each change."""

    def __init__(self, brokers: Brokers, *, recorder: Recorder) -> None:
        self._brokers = brokers
        self._recorder = recorder
        self._at_work: set[int] = set()
        for broker in self.ids:
            self._say(broker, "running" if brokers.is_up(broker) else "down")

    @property
    def ids(self) -> Sequence[int]:
        return self._brokers.ids

    def is_up(self, broker: int) -> bool:
        up = self._brokers.is_up(broker)
        if not up and broker in self._at_work:  # it has ended by itself
            self._say(broker, "down")
        return up

    def kill(self, broker: int) -> dict[str, Any]:
        done = self._brokers.kill(broker)
        self._say(broker, "down")
        return done

    def stop(self, broker: int) -> dict[str, Any]:
        done = self._brokers.stop(broker)
        self._say(broker, "down")
        return done

    def pause(self, broker: int) -> dict[str, Any]:
        done = self._brokers.pause(broker)
        self._say(broker, "paused")
        return done

    def resume(self, broker: int) -> dict[str, Any]:
        done = self._brokers.resume(broker)
        self._say(broker, "up")
        return done

    def start(self, broker: int) -> dict[str, Any]:
        done = self._brokers.start(broker)
        self._say(broker, "up")
        return done

    def wait_ready(self, broker: int, *, timeout_s: float) -> None:
        self._brokers.wait_ready(broker, timeout_s=timeout_s)
        self._say(broker, "running")

    @property
    def disks_may_be_filled(self) -> bool:
        return self._brokers.disks_may_be_filled

    def fill_disk(self, broker: int) -> dict[str, Any]:
        return self._brokers.fill_disk(broker)

    @property
    def may_be_disconnected(self) -> bool:
        return self._brokers.may_be_disconnected

    def disconnect(self, broker: int) -> dict[str, Any]:
        return self._brokers.disconnect(broker)

    def heal(self, broker: int) -> dict[str, Any]:
        was_up = self.is_up(broker)
        done = self._brokers.heal(broker)
        if not was_up:
            self._say(broker, "up")
        return done

    def heal_all(self) -> None:
        was_up = [broker for broker in self.ids if self.is_up(broker)]
        self._brokers.heal_all()
        for broker in self.ids:
            if broker not in was_up:
                self._say(broker, "up")

    def _say(self, broker: int, state: Literal["up", "running", "paused", "down"]) -> None:
        if state in ("up", "running"):
            self._at_work.add(broker)
        else:
            self._at_work.discard(broker)
        self._recorder.record(BrokerChanged(t=self._recorder.now(), broker=broker, state=state))
