"""What the restores of a subject come to, in a sentence; and what has to be known to read it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from eoscheck.explore.measures.restore import Restored, holds
from eoscheck.measure.figures import Estimate
from eoscheck.measure.measured import Extrapolation, RestoreMeasure

RULE_MB_PER_S = (50.0, 100.0)
"""The field's rule of thumb, a task; and 20 GB in 3 to 7 minutes."""


def headline(measure: RestoreMeasure, *, red: int) -> str:
    sentences = []
    if red:
        sentences.append("An audit did not pass: these are no restores of a subject that works.")
    missed = [e for e in measure.extrapolations if e.measured_s is not None and not holds(e)]
    if missed:
        sentences.append(
            f"A restore of {size(missed[0].megabytes)} took {missed[0].measured_s or 0:.1f} s and "
            f"is not what the smaller ones predicted ({interval(missed[0].seconds)} s): do not "
            "trust what is drawn out further."
        )
    rate = measure.megabytes_per_s
    sentences.append(
        f"It restores {rate.value:.0f} MB/s ({interval(rate)}) after {measure.fixed_s.value:.2f} s"
    )
    ahead = [each for each in measure.extrapolations if each.measured_s is None]
    if ahead:
        sentences[-1] += ": " + ", ".join(_predicted(each) for each in ahead)
    if measure.objective is not None:
        largest = measure.largest_megabytes
        within = f"within {measure.objective.seconds:g} s"
        sentences.append(
            f"No state is restored {within}"
            if largest is None
            else f"Up to {size(largest)} are restored {within}, "
            f"{measure.objective.quantile * 100:g} times of 100"
        )
    return ". ".join(each.rstrip(".") for each in sentences)


def notes(done: Sequence[Restored], measure: RestoreMeasure) -> list[str]:
    tasks = max(point.tasks for point in measure.points)
    told = [f"a restore is timed {by}" for by in dict.fromkeys(each.by for each in done)]
    if done[0].waits:
        told.append(f"until it began, {median(done[0].waits):.1f} s passed each time (p50)")
    if tasks > 1:
        told.append(f"the rate is that of {tasks} tasks of one instance together")
    if measure.bend is not None:
        told.append(
            f"the sizes do not lie on one line: {size(measure.bend.megabytes)} took "
            f"{measure.bend.factor:.1f} times as long as it says, as where a store no longer keeps "
            "all in memory: what is drawn out from here is worth little. Give larger --sizes"
        )
    low, high = RULE_MB_PER_S
    rate = measure.megabytes_per_s
    if rate.low is not None and rate.high is not None and tasks == 1:
        where = "within" if low <= rate.low and rate.high <= high else "partly outside"
        where = "above" if rate.low > high else "below" if rate.high < low else where
        told.append(f"that is {where} the rule of thumb of {low:g} to {high:g} MB/s a task")
    for each in measure.extrapolations:
        if each.measured_s is not None:
            said = "as predicted" if holds(each) else "NOT as predicted"
            told.append(
                f"{size(each.megabytes)} took {each.measured_s:.2f} s, {said}: "
                f"{each.seconds.value:.2f} s ({interval(each.seconds, digits=2)})"
            )
    return told


def size(megabytes: float) -> str:
    return f"{megabytes / 1000:.4g} GB" if megabytes >= 1000 else f"{megabytes:.4g} MB"


def interval(estimate: Estimate, *, digits: int = 0) -> str:
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"


def _predicted(each: Extrapolation) -> str:
    low, high = each.seconds.low or 0.0, each.seconds.high or 0.0
    between = f"{minutes(low)} to {minutes(high)}"
    return f"{size(each.megabytes)} in {minutes(each.seconds.value)} ({between})"


def minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
