"""The run on one time axis: rates and lag in bins, and a lane for each instance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from eoscheck.history.events import (
    Event,
    FaultHealed,
    FaultInjected,
    GroupSampled,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
)
from eoscheck.measure.figures import Lane, Span, Timeline
from eoscheck.measure.journeys import Journey
from eoscheck.measure.landmarks import Landmarks

_BIN_WIDTHS_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_MAX_BINS = 3000

State: TypeAlias = Literal["starting", "up", "paused", "down", "stopped"]


def timeline(events: Sequence[Event], journeys: Sequence[Journey], *, end: float) -> Timeline:
    """Bins reach to `end`, and to the last record sent or seen if that is later."""
    outputs = [(e.t, len(e.identities)) for e in events if isinstance(e, OutputsObserved)]
    last = max([end, *(t for t, _ in outputs), *(j.intended for j in journeys)])
    width = bin_width(last)
    bins = math.floor(last / width) + 1
    return Timeline(
        bin_s=width,
        sent_per_s=_rates(((j.intended, 1) for j in journeys), width=width, bins=bins),
        committed_per_s=_rates(outputs, width=width, bins=bins),
        lag=_highest(
            ((e.t, e.lag) for e in events if isinstance(e, GroupSampled)), width=width, bins=bins
        ),
        held_back=_highest(
            ((e.t, held_back(e)) for e in events if isinstance(e, LogSampled)),
            width=width,
            bins=bins,
        ),
    )


def bin_width(duration_s: float) -> float:
    """Fine enough to see a recovery, coarse enough that a report of any run stays small."""
    fitting = (width for width in _BIN_WIDTHS_S if duration_s / width <= _MAX_BINS)
    return next(fitting, duration_s / _MAX_BINS)


def lanes(events: Sequence[Event], marks: Landmarks) -> list[Lane]:
    """One for each instance that the history names, by number; what comes after the end is left
    out."""
    end = marks.end
    changes: dict[int, list[tuple[float, State]]] = {}
    starts: Counter[int] = Counter()
    for event in events:
        change = _state_after(event, drain=marks.drain)
        if change is None or event.t > end:
            continue
        instance, state = change
        starts[instance] += isinstance(event, InstanceStarted)
        changes.setdefault(instance, []).append((event.t, state))
    return [
        Lane(instance=instance, starts=starts[instance], spans=_spans(changes[instance], end))
        for instance in sorted(changes)
    ]


def _state_after(event: Event, *, drain: float) -> tuple[int, State] | None:
    match event:
        case InstanceStarted(instance=instance):
            return instance, "starting"
        case InstanceReady(instance=instance):
            return instance, "up"
        case InstanceExited(instance=instance):
            return instance, "stopped" if event.expected and event.t >= drain else "down"
        case FaultInjected(kind="pause", instance=int(instance)):
            return instance, "paused"
        case FaultHealed(kind="pause", instance=int(instance)):
            return instance, "up"
    return None


def _spans(changes: Sequence[tuple[float, State]], end: float) -> list[Span]:
    """A repeated state goes on, a state of no length is left out."""
    spans: list[Span] = []
    stops = [start for start, _ in changes[1:]] + [end]
    nexts = [state for _, state in changes[1:]] + [None]
    for (start, said), stop, following in zip(changes, stops, nexts, strict=True):
        # Where nobody saw it become ready, all that is known is that it runs.
        state: State = "up" if said == "starting" and following != "up" else said
        if spans and spans[-1].state == state:
            spans[-1] = Span(state=state, start=spans[-1].start, end=stop)
        elif stop > start:
            spans.append(Span(state=state, start=start, end=stop))
    return spans


def held_back(sample: LogSampled) -> int:
    """Offsets between the last stable offset and the high watermark, over all partitions. The two
    were asked for one after the other: where the log moved in between, it is never below zero."""
    stable = sample.last_stable_offsets
    return sum(max(0, high - stable.get(p, high)) for p, high in sample.high_watermarks.items())


def _rates(records: Iterable[tuple[float, int]], *, width: float, bins: int) -> list[float]:
    counts = [0] * bins
    for t, records_then in records:
        counts[_bin(t, width)] += records_then
    return [round(count / width, 3) for count in counts]


def _highest(samples: Iterable[tuple[float, int]], *, width: float, bins: int) -> list[int | None]:
    highest: list[int | None] = [None] * bins
    for t, value in samples:
        i = _bin(t, width)
        if i < bins:
            highest[i] = max(value, highest[i] or 0)
    return highest


def _bin(t: float, width: float) -> int:
    return max(0, math.floor(t / width))
