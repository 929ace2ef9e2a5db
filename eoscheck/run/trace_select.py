"""Parts of a trace: of an instance, of a time, around a fault or a record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.history import Event, FaultHealed, FaultInjected, OutputsObserved
from eoscheck.run.trace import Traced

BEFORE_S = 1.0
AFTER_S = 2.0
"""How much of a trace is around something."""

_RECORD = re.compile(r"(?:(?P<topic>[A-Za-z0-9._-]+)/)?(?P<partition>\d{1,6})@(?P<offset>\d{1,19})")


@dataclass(frozen=True, kw_only=True)
class Span:
    """Seconds since the run began; None: no bound."""

    start: float | None = None
    end: float | None = None

    @property
    def middle(self) -> float | None:
        """What it is around."""
        return None if self.start is None else self.start + BEFORE_S

    def meets(self, exchange: Traced) -> bool:
        """Whether any of it lies within."""
        last = max(exchange.sent, exchange.answered or 0.0, exchange.last or 0.0)
        return (self.start is None or last >= self.start) and (
            self.end is None or exchange.sent <= self.end
        )


def select(trace: Sequence[Traced], *, instance: int | None, span: Span) -> list[Traced]:
    """Raises UsageError where the run had no such instance."""
    known = sorted({each.instance for each in trace})
    if instance is not None and instance not in known:
        raise UsageError(f"the trace has no instance {instance}, but {known}")
    return [each for each in trace if instance in (None, each.instance) and span.meets(each)]


def around(what: str, events: Sequence[Event]) -> Span:
    """`what`: a fault's id (`crash-after-1`), from just before it struck to just after its heal, or
    an output record (`[TOPIC/]PARTITION@OFFSET`), by when a live reader got it.

    Raises UsageError where the history has neither.
    """
    faults = {e.fault_id: e.t for e in events if isinstance(e, FaultInjected)}
    if what in faults:
        healed = [e.t for e in events if isinstance(e, FaultHealed) and e.fault_id == what]
        return _near(faults[what], max([faults[what], *healed]))
    record = _RECORD.fullmatch(what)
    if record is None:
        raise UsageError(
            f"--around {what!r} is no fault of this run{did_you_mean(what, faults)}, and no record "
            f"such as 0@57: it had {', '.join(faults) or 'no faults'}"
        )
    partition, offset = int(record["partition"]), int(record["offset"])
    for event in events:
        if (
            isinstance(event, OutputsObserved)
            and record["topic"] in (None, event.topic)
            and event.partition == partition
            and event.first_offset <= offset <= event.last_offset
        ):
            return _near(event.t, event.t)
    raise UsageError(f"--around {what}: no output at that offset was read during the run")


def _near(start: float, end: float) -> Span:
    return Span(start=start - BEFORE_S, end=end + AFTER_S)
