"""Which fault of a run a record has to do with, by time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eoscheck.audit.rows.records import Place
from eoscheck.history.events import (
    Event,
    FaultHealed,
    FaultInjected,
    OutputsObserved,
    RunStarted,
)


@dataclass(frozen=True, kw_only=True)
class _Fault:
    fault_id: str
    kind: str
    instance: int | None
    target: str
    injected_s: float
    healed_s: float | None

    def shown(self, at: float) -> dict[str, Any]:
        return {
            "fault_id": self.fault_id,
            "kind": self.kind,
            "instance": self.instance,
            **({"target": self.target} if self.target else {}),
            "injected_s": round(self.injected_s, 3),
            "healed_s": None if self.healed_s is None else round(self.healed_s, 3),
            "under_way": self.injected_s <= at and (self.healed_s is None or at <= self.healed_s),
        }


class FaultTimeline:
    """Times are seconds since the run began."""

    def __init__(self, history: Sequence[Event]) -> None:
        healed = {event.fault_id: event.t for event in history if isinstance(event, FaultHealed)}
        self._faults = sorted(
            (
                _Fault(
                    fault_id=event.fault_id,
                    kind=event.kind,
                    instance=event.instance,
                    target=event.target,
                    injected_s=event.t,
                    healed_s=healed.get(event.fault_id),
                )
                for event in history
                if isinstance(event, FaultInjected)
            ),
            key=lambda fault: fault.injected_s,
        )
        self._begins = [fault.injected_s for fault in self._faults]
        starts = [event for event in history if isinstance(event, RunStarted)]
        self._epoch_s = (
            datetime.fromisoformat(starts[0].started_at).timestamp() - starts[0].t
            if starts
            else None
        )
        self._observed: dict[tuple[str, int], list[tuple[int, int, float]]] = {}
        for event in history:
            if isinstance(event, OutputsObserved):
                seen = self._observed.setdefault((event.topic, event.partition), [])
                seen.append((event.first_offset, event.last_offset, event.t))

    def at(self, place: Place, timestamp_ms: int | None) -> float | None:
        """When a record came to be: as the run's observer saw it, else by its own timestamp."""
        seen = self._observed.get((place.topic, place.partition), [])
        index = bisect_right(seen, (place.offset, 2**63, 0.0)) - 1
        if index >= 0 and seen[index][1] >= place.offset:
            return seen[index][2]
        if timestamp_ms is None or self._epoch_s is None:
            return None
        return timestamp_ms / 1000 - self._epoch_s

    def before(self, at: float) -> dict[str, Any] | None:
        """The last fault injected before `at`: what it broke, or was repeated after it."""
        index = bisect_right(self._begins, at) - 1
        return self._faults[index].shown(at) if index >= 0 else None

    def around(self, at: float) -> dict[str, Any] | None:
        """The fault under way at `at`, else the next, else the last: for what was never written."""
        for fault in self._faults:
            if fault.healed_s is None or fault.healed_s >= at:
                return fault.shown(at)
        return self.before(at)
