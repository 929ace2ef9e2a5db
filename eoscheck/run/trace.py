"""The protocol trace of a run: which steps each instance did, in which order."""

from __future__ import annotations

from collections.abc import Iterable

from eoscheck.faults.wire_steps import PROTOCOL
from eoscheck.wire import Exchange, Step


def learned_steps(exchanges: Iterable[Exchange]) -> dict[Step, int]:
    """The steps of the protocol that these are, each with how often it was done, in the order in
    which each was first sent. Only what went its whole way counts: was answered, without a fault.

    A pure function: of a run without faults, its keys are the app's crash points.
    """
    first: dict[Step, float] = {}
    counts: dict[Step, int] = {}
    for exchange in exchanges:
        if exchange.action is not None or exchange.outcome == "unanswered":
            continue
        for step in exchange.steps:
            if step.partition("(")[0] not in PROTOCOL:
                continue
            counts[step] = counts.get(step, 0) + times(exchange)
            first[step] = min(first.get(step, exchange.sent), exchange.sent)
    return {step: counts[step] for step in sorted(counts, key=lambda each: first[each])}


def times(exchange: Exchange) -> int:
    """How many exchanges it stands for: a trace that was written has idle ones as one."""
    return exchange.times if isinstance(exchange, Traced) else 1


class Traced(Exchange, frozen=True, kw_only=True, omit_defaults=True):
    """An exchange as the trace has it: times are seconds since the run began. With `times` above 1
    it stands for so many idle ones like it, the last of them sent at `last`."""

    times: int = 1
    last: float | None = None
