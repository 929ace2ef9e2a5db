"""Where the marks of a sequence diagram go: an instance and brokers as lifelines, time downwards.

Rows are in the order of time and equally far apart, not to its scale. `x` are shares of the width,
`y` pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError

from eoscheck.run.sequence import SequenceStep, StepSequence

_TOP, _ROW, _BOTTOM = 34, 22, 14
_INSTANCE, _LAST = 0.22, 0.92
_PROMPT_S = 0.05
"""Answers later than this are arrows of their own, where anything else came before them."""

_NEVER_SENT = frozenset({"crash-before", "drop-request", "close"})
_NEVER_TOLD = frozenset({"crash-after", "drop-response", "stalled"})


@dataclass(frozen=True, slots=True)
class Lifeline:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From `x1` to `x2`; `lost`: it ends in a cross there, and reached nobody. `answer`: it is one;
    `hit`: a fault did something to it."""

    y: int
    t: float
    x1: float
    x2: float
    label: str
    answer: bool = False
    lost: bool = False
    hit: bool = False


@dataclass(frozen=True, slots=True)
class SequenceChart:
    title: str
    lifelines: list[Lifeline]
    arrows: list[Arrow]
    at: int
    """The `y` of the moment that it is around."""
    top: int
    height: int


@dataclass(frozen=True, slots=True)
class _Event:
    t: float
    step: SequenceStep
    kind: str  # "sent", "answered", "late": it reaches its broker after it was held


def sequence_chart(sequence: StepSequence) -> SequenceChart:
    brokers = sorted({step.broker for step in sequence.steps})
    space = (_LAST - _INSTANCE) / len(brokers)
    at_broker = {broker: _INSTANCE + space * (n + 1) for n, broker in enumerate(brokers)}
    events = sorted(_events(sequence.steps), key=lambda event: event.t)
    arrows = [
        _arrow(event, y=_TOP + _ROW * (row + 1), broker=at_broker[event.step.broker])
        for row, event in enumerate(events)
    ]
    before = sum(event.t < sequence.at - 1e-3 for event in events)
    return SequenceChart(
        title=sequence.title,
        lifelines=[
            Lifeline(_INSTANCE, f"instance {sequence.instance}"),
            *(Lifeline(at_broker[broker], f"broker {broker}") for broker in brokers),
        ],
        arrows=arrows,
        at=_TOP + _ROW * before + _ROW // 3,
        top=_TOP,
        height=_TOP + _ROW * (len(events) + 1) + _BOTTOM,
    )


def _events(steps: Sequence[SequenceStep]) -> Iterator[_Event]:
    """An answer is told with its request where it came promptly, or nothing was between."""
    sent = sorted(step.sent for step in steps)
    for step in steps:
        yield _Event(step.sent, step, "sent")
        if step.answered is None:
            continue
        if step.action == "hold":
            yield _Event(step.answered, step, "late")
        elif step.action in _NEVER_TOLD or not _prompt(step, sent):
            yield _Event(step.answered, step, "answered")


def _prompt(step: SequenceStep, sent: Sequence[float]) -> bool:
    assert step.answered is not None
    between = any(step.sent < other < step.answered for other in sent)
    return step.answered - step.sent < _PROMPT_S or not (between or step.action)


def _arrow(event: _Event, *, y: int, broker: float) -> Arrow:
    step, middle = event.step, (_INSTANCE + broker) / 2
    hit = step.action is not None
    done = f" ← {step.action}" if step.action is not None else ""
    error = f" {KafkaError(step.error).name()}" if step.error else ""
    match event.kind:
        case "late":
            label = f"{step.step} of {step.sent:.3f}, released{error}"
            return Arrow(y, event.t, middle, broker, label, hit=True)
        case "answered":
            lost = step.action in _NEVER_TOLD
            label = f"{step.step}:{error or ' done'}{done if lost else ''}"
            end = middle if lost else _INSTANCE
            return Arrow(y, event.t, broker, end, label, answer=True, lost=lost, hit=hit)
    if step.action in _NEVER_SENT or step.action == "hold":
        lost = step.action != "hold"
        return Arrow(y, event.t, _INSTANCE, middle, step.step + done, lost=lost, hit=True)
    took = "" if step.answered is None else f" {(step.answered - step.sent) * 1000:.1f} ms"
    told = "" if step.action in _NEVER_TOLD else took + error
    return Arrow(y, event.t, _INSTANCE, broker, f"{step.step}{told}", hit=hit)
