"""The load of a run as another process makes it: told when to begin and to end, and heard."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from eoscheck.history import Event, FaultHealed, FaultInjected, FaultMissed, RunFinished
from eoscheck.run.arrivals import Arrivals
from eoscheck.run.feed import Wanted
from eoscheck.run.generators import Generators
from eoscheck.run.remote import (
    Arrived,
    Enough,
    FromRun,
    GeneratorEnded,
    LoadEnded,
    Plan,
    Sends,
    Struck,
    ToRun,
)

_LOOK_S = 0.05
_END_S = 55.0
"""A little less than what a run waits for its load, which is what a client waits for an answer."""
_ARRIVALS_S = 0.5


class FedLoad:
    """Takes what was heard from `heard`, and says what is to be done by `say`."""

    def __init__(
        self, *, title: str, heard: queue.Queue[ToRun], say: Callable[[FromRun], None]
    ) -> None:
        self.over = threading.Event()
        self._title = title
        self._heard = heard
        self._say = say

    def run(self, wanted: Wanted, *, stop: threading.Event) -> None:
        recorder = wanted.recorder
        self._say(
            Plan(
                run_id=wanted.run_id,
                title=self._title,
                spec=wanted.spec,
                seed=wanted.seed,
                identify=wanted.identify,
                client_config=dict(wanted.client_config),
                origin=time.monotonic() - recorder.now(),
            )
        )
        generators = Generators(recorder, topic=wanted.spec.topic)
        deadline = None
        try:
            while deadline is None or recorder.now() < deadline:
                if deadline is None and stop.is_set():
                    deadline = recorder.now() + _END_S
                    self._say(Enough())
                if not self._hear(generators):
                    return
        finally:
            self.over.set()
            generators.end_all()

    def _hear(self, generators: Generators) -> bool:
        """False where the load has ended."""
        try:
            message = self._heard.get(timeout=_LOOK_S)
        except queue.Empty:
            return True
        if isinstance(message, Sends):
            generators.reported(message.generator, message.report)
        elif isinstance(message, GeneratorEnded):
            generators.ended(message.generator, lost=message.lost)
        return not isinstance(message, LoadEnded)


class Telling:
    """A listener of the history that tells the other side of faults and of arrivals."""

    def __init__(self, say: Callable[[FromRun], None]) -> None:
        self._say = say
        self._arrivals = Arrivals()
        self._told_at = 0.0

    def __call__(self, event: Event) -> None:
        self._arrivals(event)
        if isinstance(event, FaultInjected | FaultHealed | FaultMissed):
            self._say(Struck(event=event))
        if event.t - self._told_at >= _ARRIVALS_S or isinstance(event, RunFinished):
            self._told_at = event.t
            intended, seen = self._arrivals.take()
            if intended:
                self._say(Arrived(intended=intended, seen=seen))
