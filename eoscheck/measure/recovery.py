"""Recovery: how long until the work of a fault's victim comes out again, and the backlog is gone.

Only an output whose *input came after the fault* counts: outputs of earlier input may still leave
a dead instance's last transaction, and prove nothing about its successor.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eoscheck.history.events import Event, FaultHealed, FaultInjected
from eoscheck.measure.figures import Distribution, Recovery, RecoverySummary
from eoscheck.measure.journeys import Journey, Partition
from eoscheck.measure.lag import LagSample, lag_samples
from eoscheck.measure.quantiles import distribution

LAG_WINDOW_S = 2.0
"""Lag goes up and down with each commit: its level before a fault is the highest sample of so
many seconds, not the last one. What an earlier fault piled up does not count."""


class _Arrivals:
    """One input partition: when was the first output seen of anything intended after t?"""

    def __init__(self, journeys: Iterable[Journey]) -> None:
        ordered = sorted(journeys, key=lambda journey: journey.intended)
        self._intended = [journey.intended for journey in ordered]
        self._earliest = [math.inf if j.seen is None else j.seen for j in ordered]
        for i in range(len(self._earliest) - 2, -1, -1):
            self._earliest[i] = min(self._earliest[i], self._earliest[i + 1])

    def first_after(self, t: float) -> float | None:
        """Infinite where none was seen; None where nothing was sent after t."""
        i = bisect_right(self._intended, t)
        return self._earliest[i] if i < len(self._intended) else None


@dataclass(frozen=True, slots=True)
class _Level:
    """The lag before a fault, and when it was reached again (infinite: not in this run)."""

    lag: int | None
    caught_up_at: float


def recoveries(events: Sequence[Event], journeys: Iterable[Journey]) -> list[Recovery]:
    """One for each fault that bit, in the order of injection."""
    by_partition: dict[Partition, list[Journey]] = defaultdict(list)
    for journey in journeys:
        by_partition[journey.partition].append(journey)
    arrivals = {partition: _Arrivals(rows) for partition, rows in by_partition.items()}
    samples = lag_samples(events)
    healed = {event.fault_id: event.t for event in events if isinstance(event, FaultHealed)}
    faults = sorted((e for e in events if isinstance(e, FaultInjected)), key=lambda e: e.t)

    judged: list[Recovery] = []
    before: _Level | None = None
    for fault in faults:
        judged_by, first, last = _first_and_last(fault, arrivals)
        before = _level(fault.t, last, samples, before)
        judged.append(
            _recovery(
                fault,
                judged_by=judged_by,
                first=first,
                last=last,
                level=before,
                healed_at=healed.get(fault.fault_id),
                overlapped=_overlapped(fault, last, faults),
            )
        )
    return judged


def summary(judged: Sequence[Recovery]) -> RecoverySummary:
    """Faults without input afterwards say nothing, and are left out."""
    told = [recovery for recovery in judged if recovery.outcome != "no_input"]
    with_lag = [recovery for recovery in told if recovery.lag_before is not None]
    return RecoverySummary(
        recovered=_of(recovery.recovered_after_s for recovery in told),
        all_recovered=_of(recovery.all_recovered_after_s for recovery in told),
        caught_up=_of(recovery.caught_up_after_s for recovery in with_lag),
    )


def _of(durations: Iterable[float | None]) -> Distribution | None:
    given = list(durations)
    ended = [duration for duration in given if duration is not None]
    return distribution(ended, censored=len(given) - len(ended))


def _first_and_last(
    fault: FaultInjected, arrivals: Mapping[Partition, _Arrivals]
) -> tuple[Literal["victim", "all"], float | None, float | None]:
    """When the first, and when the last affected partition gave an output again."""
    victim = set(fault.partitions or ())
    times = [
        time
        for partition, rows in arrivals.items()
        if (not victim or partition[1] in victim)
        and (time := rows.first_after(fault.t)) is not None
    ]
    if not times:
        return ("victim" if victim else "all"), None, None
    return ("victim", min(times), max(times)) if victim else ("all", max(times), max(times))


def _level(
    t: float, recovered_at: float | None, samples: Sequence[LagSample], before: _Level | None
) -> _Level:
    if before is not None and before.caught_up_at > t:
        # The fault before this one still shows in the lag: the level is what it was before that.
        lag = before.lag
    else:
        since = t - LAG_WINDOW_S if before is None else max(t - LAG_WINDOW_S, before.caught_up_at)
        earlier = [sample for sample in samples if sample.t <= t]
        recent = [sample for sample in earlier if sample.t >= since] or earlier[-1:]
        lag = max((sample.lag for sample in recent), default=None)
    if lag is None or recovered_at is None:
        return _Level(lag, math.inf)
    # Right after the injection the lag has not risen yet: that is not "caught up".
    back = (s.t for s in samples if s.t >= recovered_at and s.lag <= lag)
    return _Level(lag, next(back, math.inf))


def _overlapped(
    fault: FaultInjected, recovered_at: float | None, faults: Sequence[FaultInjected]
) -> bool:
    if recovered_at is None:
        return False
    return any(other is not fault and fault.t <= other.t < recovered_at for other in faults)


def _recovery(
    fault: FaultInjected,
    *,
    judged_by: Literal["victim", "all"],
    first: float | None,
    last: float | None,
    level: _Level,
    healed_at: float | None,
    overlapped: bool,
) -> Recovery:
    outcome: Literal["recovered", "not_recovered", "no_input"] = "no_input"
    if last is not None:
        outcome = "not_recovered" if math.isinf(last) else "recovered"
    return Recovery(
        fault_id=fault.fault_id,
        kind=fault.kind,
        instance=fault.instance,
        t=fault.t,
        healed_at=healed_at,
        down_s=fault.down_s,
        outlasts_session=fault.outlasts_session,
        wiped=fault.wiped,
        left_open=fault.open_transactions,
        partitions=sorted(fault.partitions or ()),
        judged_by=judged_by,
        outcome=outcome,
        recovered_after_s=_since(fault.t, first),
        all_recovered_after_s=_since(fault.t, last),
        caught_up_after_s=_since(fault.t, level.caught_up_at),
        lag_before=level.lag,
        overlapped=overlapped,
        target=fault.target,
    )


def _since(start: float, moment: float | None) -> float | None:
    return None if moment is None or math.isinf(moment) else moment - start
