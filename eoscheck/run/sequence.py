"""The parts of a trace that a report draws: what an instance did around a fault, or a finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from eoscheck.audit.findings import AuditReport
from eoscheck.errors import UsageError
from eoscheck.faults.wire_steps import PROTOCOL
from eoscheck.history import Event, FaultInjected
from eoscheck.run.trace import IDLE, Traced
from eoscheck.run.trace_select import around
from eoscheck.wire import Step

MOST = 3
"""Sequences of one run: more would not be looked at."""
_BEFORE, _AFTER = 10, 26
"""Steps of one sequence, before and after its moment."""


class SequenceStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request and its answer, by the run's time; `action` is what a fault did to it."""

    sent: float
    answered: float | None
    broker: int
    step: str
    error: int | None = None
    action: str | None = None


class StepSequence(msgspec.Struct, frozen=True, kw_only=True):
    """What one instance asked, around `at` (seconds since the run began): the strike of the fault
    `title`, or when the record `title` was read."""

    title: str
    at: float
    instance: int
    steps: list[SequenceStep]


def sequences(
    trace: Sequence[Traced], *, events: Sequence[Event], audit: AuditReport
) -> list[StepSequence]:
    """A pure function of what the run left: around the faults that findings name, then around
    findings that name none, then around other faults; of the instance that was hit, or of the
    first at work."""
    made: list[StepSequence] = []
    for title, at, instance in _moments(events, audit):
        if len(made) == MOST:
            break
        whose = instance if instance is not None else _at_work(trace, at)
        steps = _steps(trace, instance=whose, at=at)
        if steps and title not in {each.title for each in made}:
            made.append(StepSequence(title=title, at=at, instance=whose, steps=steps))
    return made


def _moments(
    events: Sequence[Event], audit: AuditReport
) -> Iterator[tuple[str, float, int | None]]:
    faults = {e.fault_id: e for e in events if isinstance(e, FaultInjected)}
    unexpected = [each for each in audit.findings if not each.allowed]
    for finding in unexpected:
        named = finding.evidence.get("fault") or {}
        fault = faults.get(named.get("fault_id", ""))
        if fault is not None:
            yield fault.fault_id, fault.t, fault.instance
    for finding in unexpected:
        if not finding.evidence.get("fault") and finding.topic == audit.output and finding.offsets:
            record = f"{finding.topic}/{finding.partition}@{finding.offsets[0]}"
            try:
                span = around(record, events)
            except UsageError:
                continue  # nobody read it while the run went on
            assert span.middle is not None
            yield record, span.middle, None
    for fault in faults.values():
        yield fault.fault_id, fault.t, fault.instance


def _at_work(trace: Sequence[Traced], at: float) -> int:
    """Whose step is the next one after that."""
    return next((each.instance for each in trace if each.sent >= at), 0)


def _steps(trace: Sequence[Traced], *, instance: int, at: float) -> list[SequenceStep]:
    own = [each for each in trace if each.instance == instance and _tells(each)]
    struck = next((n for n, each in enumerate(own) if each.sent >= at - 1e-3), len(own))
    return [
        SequenceStep(
            sent=each.sent,
            answered=each.answered,
            broker=each.broker,
            step=_joined(each.steps),
            error=each.error or None,
            action=each.action,
        )
        for each in own[max(struck - _BEFORE, 0) : struck + _AFTER]
    ]


def _joined(steps: Sequence[Step]) -> str:
    """`Produce(output, changelog)`: the steps of one request in one word."""
    api = steps[0].partition("(")[0]
    parts = [step.removeprefix(f"{api}(").removesuffix(")") for step in steps if "(" in step]
    return f"{api}({', '.join(parts)})" if parts else api


def _tells(each: Traced) -> bool:
    """Not what an idle client repeats, nor what it asks about the cluster."""
    if each.action is not None:
        return True
    api = each.request.api
    return api in PROTOCOL and (api not in IDLE or each.steps[0] == "Fetch(restore)")
