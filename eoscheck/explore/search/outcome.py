"""What one run of a schedule came to, and which states its history went through."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    FaultMissed,
    InstanceExited,
)
from eoscheck.history.events import GroupSampled, LogSampled, SendsUnconfirmed
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.run.result import RunResult
from eoscheck.wire import Step


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`states` are those that the history went through (`states_of`); `missed` are the kinds of
    faults that did not bite; `steps` are those of the protocol that the subject did, where they
    were seen, with how often; `folder` is the run's, empty where it could not be made."""

    verdict: Verdict
    codes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    states: frozenset[str] = frozenset()
    missed: tuple[str, ...] = ()
    steps: dict[Step, int] = {}
    folder: str = ""

    @property
    def red(self) -> bool:
        return self.verdict is Verdict.FAIL


def outcome_of(
    result: RunResult, events: Sequence[Event], *, steps: Mapping[Step, int] | None = None
) -> Outcome:
    return Outcome(
        verdict=result.verdict,
        codes=tuple(sorted(str(code) for code, n in result.audit.anomalies.items() if n)),
        reasons=tuple(result.reasons),
        states=frozenset(states_of(result, events)),
        missed=tuple(event.kind for event in events if isinstance(event, FaultMissed)),
        steps=dict(steps or {}),
        folder=result.folder,
    )


def states_of(result: RunResult, events: Sequence[Event]) -> Iterator[str]:
    """Words for what a run went through, as coarse as possible: a figure counts by its power of
    eight. Two runs with the same words were, for the search, in the same places."""
    yield from _faults(events)
    yield from _subject(events)
    yield from _cluster(events)
    for topic in result.audit.transactions:
        if topic.aborted:
            yield f"aborted transactions {_size(topic.aborted)}"
        if topic.open:
            yield "a transaction is left open"
    for code, number in result.audit.allowed.items():
        if number:
            yield f"allowed {code}"
    for hazard in result.audit.hazards:
        yield f"hazard {hazard.code}"


def _faults(events: Iterable[Event]) -> Iterator[str]:
    """Each fault with what it did, each pair that overlapped, each cell of the wire."""
    active: dict[str, str] = {}
    for event in events:
        if isinstance(event, FaultInjected):
            yield event.kind
            if event.open_transactions:
                yield f"{event.kind}: a transaction left open"
            if event.outlasts_session:
                yield f"{event.kind}: beyond the session"
            if event.wiped:
                yield f"{event.kind}: wiped"
            if "step" in event.evidence:
                yield f"cell {event.evidence['step']} {event.kind}"
            for other in active.values():
                yield (
                    f"{other} while {event.kind}"
                    if other < event.kind
                    else (f"{event.kind} while {other}")
                )
            active[event.fault_id] = event.kind
        elif isinstance(event, FaultHealed):
            active.pop(event.fault_id, None)


def _subject(events: Iterable[Event]) -> Iterator[str]:
    """Its unexpected ends, and its restores."""
    restoring: set[tuple[int, str, int]] = set()
    restores = 0
    for event in events:
        if isinstance(event, InstanceExited) and not event.expected:
            yield f"ended by itself with {event.code}"
        elif isinstance(event, RestoreStarted):
            place = (event.instance, event.store, event.partition)
            if place in restoring:
                yield "a restore was broken off"
            restoring.add(place)
            restores += 1
        elif isinstance(event, RestoreEnded):
            restoring.discard((event.instance, event.store, event.partition))
    if restores:
        yield f"restores {_size(restores)}"


def _cluster(events: Iterable[Event]) -> Iterator[str]:
    """How far behind the subject was, and its readers behind an open transaction."""
    lag = stable_lag = 0
    unconfirmed: Counter[str] = Counter()
    for event in events:
        if isinstance(event, GroupSampled):
            lag = max(lag, event.lag)
        elif isinstance(event, LogSampled):
            stable = event.last_stable_offsets
            behind = sum(end - stable.get(part, end) for part, end in event.high_watermarks.items())
            stable_lag = max(stable_lag, behind)
        elif isinstance(event, SendsUnconfirmed):
            unconfirmed[event.outcome] += 1
    yield f"lag {_size(lag)}"
    yield f"behind the high watermark {_size(stable_lag)}"
    for outcome in unconfirmed:
        yield f"load {outcome}"


def _size(number: int) -> str:
    return f"below {8 ** math.ceil(number.bit_length() / 3)}"
