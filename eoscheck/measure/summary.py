"""All figures of one run, from its history and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.history.events import Event
from eoscheck.measure import journeys as joined
from eoscheck.measure.availability import longest, outages, with_outages
from eoscheck.measure.figures import RunFigures
from eoscheck.measure.landmarks import landmarks
from eoscheck.measure.lanes import lanes
from eoscheck.measure.latency import latency
from eoscheck.measure.liveness import longest_gaps
from eoscheck.measure.recovery import recoveries, summary
from eoscheck.measure.timeline import timeline


def from_history(events: Sequence[Event]) -> RunFigures:
    """A pure function of the events, in any order that they were recorded in.

    Raises InfrastructureError where the extra `measure` is missing.
    """
    marks = landmarks(events)
    journeys = joined.journeys(events)
    silences = outages(events, journeys, marks)
    judged = with_outages(recoveries(events, journeys), silences)
    return RunFigures(
        duration_s=marks.end,
        counts=joined.count(events),
        recoveries=judged,
        recovery=summary(judged),
        latency=latency(journeys, marks),
        longest_gap_s=longest_gaps(events, marks),
        timeline=timeline(events, journeys, end=marks.end),
        lanes=lanes(events, marks),
        longest_outage=longest(silences),
        recovery_by_kind={
            kind: summary([each for each in judged if each.kind == kind])
            for kind in dict.fromkeys(each.kind for each in judged)
        },
    )
