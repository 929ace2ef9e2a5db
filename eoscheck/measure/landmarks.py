"""The moments that divide a run: before, during and after the faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eoscheck.history.events import (
    Event,
    FaultHealed,
    FaultInjected,
    PhaseStarted,
    RunFinished,
)
from eoscheck.measure.lag import lag_samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Landmarks:
    """`steady_from`: the subject works, 0 where the history does not say. `first_fault` and
    `last_heal`: None without faults; a fault that was never healed lasts to the end. `drain`: the
    faults are over and the load has stopped; infinite where the history does not say.
    `end`: where the audit begins, or the history ends. `waiting`: input still waited at the end.
    """

    steady_from: float
    first_fault: float | None
    last_heal: float | None
    drain: float
    end: float
    waiting: bool


def landmarks(events: Sequence[Event]) -> Landmarks:
    phases = {e.phase: e.t for e in events if isinstance(e, PhaseStarted)}
    end = _end(events)
    injected = {e.fault_id: e.t for e in events if isinstance(e, FaultInjected)}
    healed = {e.fault_id: e.t for e in events if isinstance(e, FaultHealed)}
    return Landmarks(
        steady_from=phases.get("steady", 0.0),
        first_fault=min(injected.values(), default=None),
        last_heal=max((healed.get(fault, end) for fault in injected), default=None),
        drain=phases.get("drain", math.inf),
        end=end,
        waiting=_input_waits(events),
    )


def _end(events: Sequence[Event]) -> float:
    closing = [
        e.t
        for e in events
        if isinstance(e, RunFinished) or (isinstance(e, PhaseStarted) and e.phase == "audit")
    ]
    return min(closing) if closing else max((e.t for e in events), default=0.0)


def _input_waits(events: Sequence[Event]) -> bool:
    """By the run's own word; a history cut short has only its last lag sample."""
    for event in reversed(events):
        if isinstance(event, RunFinished):
            return not event.drained
    samples = lag_samples(events)
    return bool(samples) and samples[-1].lag > 0
