"""A lane for each process over a run: instances as they started, worked and ended, and brokers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from eoscheck.history.events import (
    BrokerChanged,
    Event,
    FaultHealed,
    FaultInjected,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
)
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.measure.figures import Lane, Span, State
from eoscheck.measure.landmarks import Landmarks

_Changes: TypeAlias = list[tuple[float, State]]
_Stretch: TypeAlias = tuple[float, float]


def lanes(events: Sequence[Event], marks: Landmarks) -> list[Lane]:
    """One for each instance that the history names, and one for each broker, by number; what comes
    after the end is left out."""
    restores = _restores(events)
    starts = Counter(
        e.instance for e in events if isinstance(e, InstanceStarted) and e.t <= marks.end
    )
    roles = {e.instance: e.role for e in events if isinstance(e, InstanceStarted)}
    instances = [
        Lane(
            kind="instance",
            number=number,
            role=roles.get(number, ""),
            starts=starts[number],
            spans=_overlaid(_spans(changes, marks.end), restores.get(number, ())),
        )
        for number, changes in sorted(_of_instances(events, marks).items())
    ]
    return [*instances, *_of_brokers(events, marks.end)]


def _of_instances(events: Sequence[Event], marks: Landmarks) -> Mapping[int, _Changes]:
    changes: dict[int, _Changes] = {}
    before_pause: dict[int, State] = {}
    for event in events:
        if event.t > marks.end:
            continue
        match event:
            case InstanceStarted(instance=number):
                state: State = "up"
            case InstanceReady(instance=number):
                state = "running"
            case InstanceExited(instance=number):
                stopped = event.expected and event.t >= marks.drain
                state = "stopped" if stopped else "down"
            case FaultInjected(kind="pause", instance=int(number)):
                if number in changes:
                    before_pause[number] = changes[number][-1][1]
                state = "paused"
            case FaultHealed(kind="pause", instance=int(number)):
                if changes.get(number, [(0.0, "up")])[-1][1] != "paused":
                    continue  # it ended meanwhile, or was healed before
                state = before_pause.get(number, "up")
            case _:
                continue
        changes.setdefault(number, []).append((event.t, state))
    return changes


def _of_brokers(events: Sequence[Event], end: float) -> Iterator[Lane]:
    changes: dict[int, _Changes] = {}
    for event in events:
        if isinstance(event, BrokerChanged) and event.t <= end:
            changes.setdefault(event.broker, []).append((event.t, event.state))
    for number, states in sorted(changes.items()):
        starts = 1 + sum(a == "down" and b != "down" for (_, a), (_, b) in pairwise(states))
        yield Lane(kind="broker", number=number, starts=starts, spans=_spans(states, end))


def _spans(changes: _Changes, end: float) -> list[Span]:
    """A repeated state goes on, a state of no length is left out."""
    spans: list[Span] = []
    stops = [start for start, _ in changes[1:]] + [end]
    for (start, state), stop in zip(changes, stops, strict=True):
        if spans and spans[-1].state == state:
            spans[-1] = Span(state=state, start=spans[-1].start, end=stop)
        elif stop > start:
            spans.append(Span(state=state, start=start, end=stop))
    return spans


def _restores(events: Sequence[Event]) -> Mapping[int, list[_Stretch]]:
    """When each instance was at any of its restores; one without an end says nothing."""
    begun: dict[tuple[int, str, int], float] = {}
    stretches: dict[int, list[_Stretch]] = {}
    told = [e for e in events if isinstance(e, RestoreStarted | RestoreEnded)]
    for event in sorted(told, key=lambda e: e.t):
        place = (event.instance, event.store, event.partition)
        if isinstance(event, RestoreStarted):
            begun[place] = event.t
        elif place in begun:
            _add(stretches.setdefault(event.instance, []), (begun.pop(place), event.t))
    return stretches


def _add(stretches: list[_Stretch], new: _Stretch) -> None:
    """They come by their ends; those that touch become one."""
    start, end = new
    while stretches and stretches[-1][1] >= start:
        start = min(start, stretches.pop()[0])
    stretches.append((start, end))


def _overlaid(spans: Sequence[Span], restores: Sequence[_Stretch]) -> list[Span]:
    """Restores in place of what is only up or running meanwhile."""
    over: list[Span] = []
    for span in spans:
        at = span.start
        for start, end in restores if span.state in ("up", "running") else ():
            low, high = max(start, at), min(end, span.end)
            if low >= high:
                continue
            if low > at:
                over.append(Span(state=span.state, start=at, end=low))
            over.append(Span(state="restoring", start=low, end=high))
            at = high
        if at < span.end:
            over.append(Span(state=span.state, start=at, end=span.end))
    return over
