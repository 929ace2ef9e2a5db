"""Fault after fault in one run, each once the one before it does not show any more."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from eoscheck.faults import PlannedFault, Targets, plan
from eoscheck.faults.spec import FaultTable
from eoscheck.faults.witness import Witness
from eoscheck.history.events import Event, FaultMissed, GroupSampled, LogSampled, OutputsObserved
from eoscheck.measure.recovery import LAG_WINDOW_S
from eoscheck.run.stage import Stage, inject
from eoscheck.subject.spec import SubjectSpec

_POLL_S = 0.05
_CALM_S = 1.0
"""So long lag has to stay low: right after a heal it has not risen yet."""
_APART_S = (0.5, 1.5)
"""Drawn anew each time: faults strike at any moment of a commit interval."""
_HOPELESS = 3
"""So many in a row that did not bite: the next ones will not either."""


def planned_strikes(
    table: FaultTable, *, subject: SubjectSpec, seed: int, count: int, down_s: float
) -> list[PlannedFault]:
    """Who is hit, and for how long; when is left to `Strikes`."""
    longest_s = max(down_s, 2 * subject.session_timeout_s) + 10.0
    return [
        msgspec.structs.replace(fault, at_s=0.0)
        for fault in plan(
            [table],
            seed=seed,
            targets=[
                Targets(
                    instances=range(subject.instances),
                    session_timeout_s=subject.session_timeout_s,
                )
            ],
            duration_s=count * longest_s,
        )
    ]


class Calm:
    """Follows a history: is the lag back at its level, does something come out, and is nothing held
    back any more by a transaction that the fault left?"""

    def __init__(self) -> None:
        self._lags: deque[tuple[float, int]] = deque(maxlen=4096)
        self._last_output = 0.0
        self._level: int | None = None
        self._since = 0.0
        self._there: dict[int, int] | None = None
        self._released = True
        self.missed_in_a_row = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, GroupSampled):
            self._lags.append((event.t, event.lag))
        elif isinstance(event, LogSampled):
            self._see_log(event)
        elif isinstance(event, OutputsObserved):
            self._last_output = max(self._last_output, event.t)
        elif isinstance(event, FaultMissed):
            self.missed_in_a_row += 1

    def about_to_strike(self, t: float) -> None:
        before = [lag for at, lag in list(self._lags) if t - LAG_WINDOW_S <= at <= t]
        self._level = max(before, default=None)

    def healed(self, t: float) -> None:
        self._since = t
        self._there, self._released = None, False

    def _see_log(self, sample: LogSampled) -> None:
        if self._there is None:
            self._there = sample.high_watermarks
        stable = sample.last_stable_offsets
        self._released = self._released or all(
            stable.get(part, 0) >= high for part, high in self._there.items()
        )

    def reached(self, t: float) -> bool:
        """For a moment now, with outputs since the heal; by outputs alone where no group tells."""
        if not self._released or self._last_output <= self._since or t < self._since + _CALM_S:
            return False
        level = self._level
        if level is None:
            return True
        recent = [lag for at, lag in list(self._lags) if at >= max(self._since, t - _CALM_S)]
        return bool(recent) and all(lag <= level for lag in recent)


@dataclass(frozen=True, kw_only=True)
class Strikes:
    """What is done in place of a scenario's faults. `tell` is given a line for each of them."""

    faults: Sequence[PlannedFault]
    seed: int
    patience_s: float
    tell: Callable[[str], None]
    calm: Calm = field(default_factory=Calm)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, stage: Stage, witness: Witness | None) -> None:
        chance = random.Random(f"{self.seed}/apart")
        now = stage.recorder.now
        stage.recorder.subscribe(self.calm)
        self.calm.healed(now())
        self._wait_calm(now)
        for number, fault in enumerate(self.faults, start=1):
            self.sleep(chance.uniform(*_APART_S))
            self.calm.about_to_strike(now())
            missed = self.calm.missed_in_a_row
            inject(stage, faults=[fault], witness=witness)
            if self.calm.missed_in_a_row == missed:
                self.calm.missed_in_a_row = 0
            elif self.calm.missed_in_a_row >= _HOPELESS:
                self.tell(f"the last {_HOPELESS} did not bite: no more of them")
                return
            self.calm.healed(now())
            calm = self._wait_calm(now)
            waited = "" if calm else f", and it had not caught up after {self.patience_s:g} s"
            self.tell(f"{fault.kind} {number} of {len(self.faults)}{waited}")

    def _wait_calm(self, now: Callable[[], float]) -> bool:
        give_up_at = now() + self.patience_s
        while not self.calm.reached(now()):
            if now() >= give_up_at:
                return False
            self.sleep(_POLL_S)
        return True
