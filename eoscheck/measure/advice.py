"""Which commit interval to choose, in one sentence: by what was asked for and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from eoscheck.measure.figures import Distribution, Estimate
from eoscheck.measure.measured import IntervalPoint, Objective

Outcome = Literal["met", "not met", "not yet known"]


def advise(
    points: Sequence[IntervalPoint],
    *,
    knee_s: float | None,
    least_gain: float,
    objective: Objective | None = None,
    recovery_point: float | None = None,
) -> str:
    """`points` in ascending order of their interval. Of the intervals that surely meet what is
    asked for, the first from the knee on, for beyond it there is little to gain; else the longest.
    """
    outcomes = [_outcome(point, objective, recovery_point) for point in points]
    asked = _asked(objective, recovery_point)
    fit = [p for p, outcome in zip(points, outcomes, strict=True) if outcome == "met"]
    open_ = [p for p, outcome in zip(points, outcomes, strict=True) if outcome == "not yet known"]
    if not asked:
        return _without_objective(points, knee_s, least_gain)
    if not fit and not open_:
        return f"No interval fits {asked}: {_nearest(points[0], objective, recovery_point)}."
    if not fit:
        unheld = objective is not None and all(point.quantile is None for point in open_)
        help_ = "with a lower rate there would be latencies" if unheld else "more rounds would tell"
        return f"Not yet known which interval fits {asked}: {_listed(open_)} may, and {help_}."
    chosen = _chosen(fit, knee_s)
    tail = "" if not open_ else f"; of {_listed(open_)} it is not yet known"
    return (
        f"Choose {written(chosen.interval_s)}: {_how(chosen, objective, recovery_point)}, and "
        f"{_why(chosen, fit, knee_s, least_gain)}{tail}."
    )


def judge_latency(estimate: Estimate | None, seconds: float) -> Outcome:
    """By the ends of its 95 % interval, over rounds."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return "not yet known"
    if estimate.high <= seconds:
        return "met"
    return "not met" if estimate.low > seconds else "not yet known"


def judge_recovery_point(reprocessed: Distribution | None, records: float) -> Outcome:
    """By the most that any of the kills threw away."""
    if reprocessed is None or reprocessed.max is None:
        return "not yet known"
    return "met" if reprocessed.max <= records else "not met"


def written(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _outcome(
    point: IntervalPoint, objective: Objective | None, recovery_point: float | None
) -> Outcome:
    judged: list[Outcome] = []
    if objective is not None:
        judged.append(judge_latency(point.quantile, objective.seconds))
    if recovery_point is not None:
        judged.append(judge_recovery_point(point.reprocessed, recovery_point))
    if "not met" in judged:
        return "not met"
    return "not yet known" if "not yet known" in judged else "met"


def _chosen(fit: Sequence[IntervalPoint], knee_s: float | None) -> IntervalPoint:
    beyond = [point for point in fit if knee_s is not None and point.interval_s >= knee_s]
    return beyond[0] if beyond else fit[-1]


def _without_objective(
    points: Sequence[IntervalPoint], knee_s: float | None, least_gain: float
) -> str:
    if knee_s is None:
        return (
            f"No knee up to {written(points[-1].interval_s)}: either throughput still rises, or "
            "more rounds are needed to tell; state an objective to choose by."
        )
    return (
        f"Choose {written(knee_s)}: with 95 % confidence no longer interval gains "
        f"{least_gain:.0%} of throughput, and a shorter one costs some."
    )


def _why(
    chosen: IntervalPoint, fit: Sequence[IntervalPoint], knee_s: float | None, least_gain: float
) -> str:
    if knee_s is not None and chosen.interval_s >= knee_s:
        return f"no longer one gains {least_gain:.0%} of throughput"
    if len(fit) == 1:
        return "it is the only one that surely does"
    return "it is the longest that surely does"


def _asked(objective: Objective | None, recovery_point: float | None) -> str:
    parts = []
    if objective is not None:
        parts.append(f"p{objective.quantile * 100:g} <= {written(objective.seconds)}")
    if recovery_point is not None:
        parts.append(f"at most {recovery_point:,.0f} records again after a kill")
    return " and ".join(parts)


def _how(point: IntervalPoint, objective: Objective | None, recovery_point: float | None) -> str:
    parts = []
    if objective is not None and point.quantile is not None:
        parts.append(f"its {_latency(point.quantile, objective)}")
    if recovery_point is not None and point.reprocessed is not None:
        parts.append(_reprocessed(point.reprocessed, recovery_point))
    return ", ".join(parts)


def _nearest(
    point: IntervalPoint, objective: Objective | None, recovery_point: float | None
) -> str:
    return f"even at {written(point.interval_s)} there is {_how(point, objective, recovery_point)}"


def _latency(estimate: Estimate, objective: Objective) -> str:
    text = f"p{objective.quantile * 100:g} of {written(_short(estimate.value))}"
    if estimate.low is not None and estimate.high is not None:
        text += f" [{written(_short(estimate.low))} - {written(_short(estimate.high))}]"
    return f"{text} against {written(objective.seconds)}"


def _reprocessed(distribution: Distribution, recovery_point: float) -> str:
    most = "unknown" if distribution.max is None else f"{distribution.max:,.0f}"
    return f"{most} records again at most in {distribution.n} kills against {recovery_point:,.0f}"


def _short(seconds: float) -> float:
    """Three digits."""
    return float(f"{seconds:.3g}")


def _listed(points: Sequence[IntervalPoint]) -> str:
    return ", ".join(written(point.interval_s) for point in points)
