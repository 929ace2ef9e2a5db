"""The lag of a subject: of all its groups together, where it is several apps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from eoscheck.history.events import Event, GroupSampled


class LagSample(NamedTuple):
    """`lag`: records that were not committed at `t` (seconds of the run), by each group's latest
    sample."""

    t: float
    lag: int


def lag_samples(events: Iterable[Event]) -> list[LagSample]:
    """One for each sample of a group, by time."""
    latest: dict[str, int] = {}
    samples = []
    for event in sorted((e for e in events if isinstance(e, GroupSampled)), key=lambda e: e.t):
        latest[event.role] = event.lag
        samples.append(LagSample(event.t, sum(latest.values())))
    return samples
