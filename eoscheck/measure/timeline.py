"""The run on one time axis: rates and lag in bins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from eoscheck.history.events import Event, LogSampled, OutputsObserved
from eoscheck.measure.figures import BIN_S, Timeline
from eoscheck.measure.journeys import Journey
from eoscheck.measure.lag import lag_samples

_WIDTHS = (1, 2, 5, 10, 25, 50, 150, 300)
"""Of bins, in the finest."""
_MAX_BINS = 3600


def timeline(events: Sequence[Event], journeys: Sequence[Journey], *, end: float) -> Timeline:
    """Bins reach to `end`, and to the last record sent or seen if that is later."""
    outputs = [(e.t, len(e.identities)) for e in events if isinstance(e, OutputsObserved)]
    last = max([end, *(t for t, _ in outputs), *(j.intended for j in journeys)])
    wide = bin_width(last)
    cells = math.floor(last / BIN_S) + 1
    sent = _rates(((j.intended, 1) for j in journeys), cells)
    committed = _rates(outputs, cells)
    lags = lag_samples(events)
    held = [(e.t, held_back(e)) for e in events if isinstance(e, LogSampled)]
    width, bins = wide * BIN_S, math.ceil(cells / wide)
    extremes = wide > 1
    return Timeline(
        bin_s=round(width, 3),
        sent_per_s=[_mean(each) for each in _groups(sent, wide)],
        committed_per_s=[_mean(each) for each in _groups(committed, wide)],
        lag=_extreme(lags, max, width=width, bins=bins),
        held_back=_extreme(held, max, width=width, bins=bins),
        committed_low=[min(each) for each in _groups(committed, wide)] if extremes else [],
        committed_high=[max(each) for each in _groups(committed, wide)] if extremes else [],
        lag_low=_extreme(lags, min, width=width, bins=bins) if extremes else [],
    )


def bin_width(duration_s: float) -> int:
    """In finest bins: fine enough to see a recovery, coarse enough that a report of any run stays
    small."""
    cells = math.floor(duration_s / BIN_S) + 1
    fitting = (width for width in _WIDTHS if cells / width <= _MAX_BINS)
    return next(fitting, math.ceil(cells / _MAX_BINS))


def held_back(sample: LogSampled) -> int:
    """Offsets between the last stable offset and the high watermark, over all partitions. The two
    were asked for one after the other: where the log moved in between, it is never below zero."""
    stable = sample.last_stable_offsets
    return sum(max(0, high - stable.get(p, high)) for p, high in sample.high_watermarks.items())


def _rates(records: Iterable[tuple[float, int]], cells: int) -> list[float]:
    counts = [0] * cells
    for t, records_then in records:
        counts[_bin(t, BIN_S)] += records_then
    return [round(count / BIN_S, 3) for count in counts]


def _groups(cells: Sequence[float], wide: int) -> Iterable[Sequence[float]]:
    return (cells[i : i + wide] for i in range(0, len(cells), wide))


def _mean(cells: Sequence[float]) -> float:
    return round(math.fsum(cells) / len(cells), 3)


def _extreme(
    samples: Iterable[tuple[float, int]],
    which: Callable[[int, int], int],
    *,
    width: float,
    bins: int,
) -> list[int | None]:
    found: list[int | None] = [None] * bins
    for t, value in samples:
        i = _bin(t, width)
        if i < bins:
            known = found[i]
            found[i] = value if known is None else which(value, known)
    return found


def _bin(t: float, width: float) -> int:
    return max(0, math.floor(t / width))
