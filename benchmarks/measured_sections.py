"""What `eoscheck measure` found, held against the numbers that people repeat: text and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from eoscheck.measure.extrapolation import by_size
from eoscheck.measure.figures import Distribution, Estimate
from eoscheck.measure.measured import Measured
from eoscheck.report import numbers

COST_RULE = (0.05, 0.15)
RESTORE_RULE = (50.0, 100.0)
"""MB/s a task."""
TWENTY_GB = 20_000.0
TWENTY_GB_RULE = (180.0, 420.0)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A measure, and what it is called beside the others; `picture`: the file's name."""

    name: str
    measured: Measured
    picture: str


def against(estimate: Estimate, rule: tuple[float, float]) -> str:
    """What an interval says of a rule of thumb, a range."""
    low, high = rule
    if estimate.low is None or estimate.high is None:
        return "one figure, no interval"
    if estimate.high < low:
        return "less"
    if estimate.low > high:
        return "more"
    if low <= estimate.low and estimate.high <= high:
        return "as the rule says"
    if estimate.low < low and high < estimate.high:
        return "not known: the interval holds all of it"
    inside = low <= estimate.value <= high
    return f"{'as the rule says' if inside else 'outside of it'}, within the noise"


def sections(all_named: Sequence[Named]) -> list[str]:
    """Markdown, in a fixed order; what was not measured has no section."""
    lines: list[str] = []
    for what, title, table in (
        ("cost", "What exactly-once costs, against 5–15 %", _cost),
        ("commit-interval", "The commit interval, and its knee", _interval),
        ("recovery", "Recovery", _recovery),
        ("restore", "Restore, against 50–100 MB/s a task and 20 GB in 3–7 minutes", _restore),
    ):
        chosen = [each for each in all_named if each.measured.what == what]
        if not chosen:
            continue
        lines += [f"### {title}", "", *table(chosen), ""]
        for each in chosen:
            lines += [f"![{each.name}](images/{each.picture})", ""]
        for each in chosen:
            lines += _about(each)
    return lines


def _about(each: Named) -> list[str]:
    measured = each.measured
    machine = ", ".join(f"{name} {value}" for name, value in measured.environment.items())
    lines = [f"- **{each.name}**: {measured.headline}", f"  - `{measured.repeat}`"]
    lines += [f"  - {numbers.date(measured.started_at)}; {machine}"]
    return [*lines, *(f"  - {note}" for note in measured.notes), ""]


def _cost(chosen: Sequence[Named]) -> list[str]:
    lines = [
        "| | exactly-once | at-least-once | cost of throughput [95 %] | the rule: 5–15 % | "
        "p99 under load, × [95 %] | brokers' CPU, × | brokers' bytes, × |",
        "|---|--:|--:|--:|---|---|--:|--:|",
    ]
    for each in chosen:
        cost = each.measured.cost
        if cost is None:
            continue
        throughput = cost.throughput
        latency = "; ".join(
            f"{load.share:.0%}: {_estimate(load.p99_ratio, '.2f')}" for load in cost.latency
        )
        broker = {figure.what: figure.ratio for figure in cost.broker}
        lines.append(
            _row(
                each.name,
                numbers.rate(throughput.measured.records_per_s),
                numbers.rate(throughput.baseline.records_per_s),
                _estimate(throughput.cost, ".1%"),
                against(throughput.cost, COST_RULE),
                latency or numbers.NONE,
                _estimate(broker.get("CPU"), ".2f"),
                _estimate(broker.get("bytes"), ".2f"),
            )
        )
    return lines


def _interval(chosen: Sequence[Named]) -> list[str]:
    lines = [
        "| interval | throughput [95 %] | a longer one gains [95 %] | p50 | p99 | "
        "again after a kill: p50, most | first output after a kill: p50, most |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in chosen:
        sweep = each.measured.commit_interval
        if sweep is None:
            continue
        for point in sweep.points:
            knee = " **(knee)**" if point.interval_s == sweep.knee_s else ""
            gain = point.gain
            lines.append(
                _row(
                    f"{numbers.short_duration(point.interval_s)}{knee}",
                    _estimate(point.throughput, ",.0f"),
                    _estimate(gain and _less_one(gain), "+.0%"),
                    numbers.duration(point.latency.p50 if point.latency else None),
                    numbers.duration(point.latency.p99 if point.latency else None),
                    _median(point.reprocessed, records=True),
                    _median(point.recovered),
                )
            )
    return lines


def _recovery(chosen: Sequence[Named]) -> list[str]:
    lines = [
        "| | fault | n | first output: p50, most | caught up: p50, most | restore p50 | "
        "again: p50, most |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for each in chosen:
        recovery = each.measured.recovery
        for kind in recovery.kinds if recovery else ():
            phases = {figure.phase: figure.durations for figure in kind.phases}
            restore = phases.get("restore")
            lines.append(
                _row(
                    each.name,
                    kind.title,
                    str(kind.recovered.n if kind.recovered else 0),
                    _median(kind.recovered),
                    _median(kind.caught_up),
                    numbers.duration(restore.p50.value if restore else None),
                    _median(kind.reprocessed, records=True),
                )
            )
    return lines


def _restore(chosen: Sequence[Named]) -> list[str]:
    lines = [
        "| | MB/s a task [95 %] | the rule: 50–100 | fixed | 20 GB take [95 % of restores] | "
        "the rule: 3–7 min | checked by a restore that was not fitted |",
        "|---|--:|---|--:|--:|---|---|",
    ]
    for each in chosen:
        restore = each.measured.restore
        if restore is None:
            continue
        ahead = {figure.megabytes: figure for figure in restore.extrapolations}
        twenty = ahead[TWENTY_GB].seconds if TWENTY_GB in ahead else None
        checked = [figure for figure in restore.extrapolations if figure.measured_s is not None]
        lines.append(
            _row(
                each.name,
                _estimate(restore.megabytes_per_s, ".0f"),
                against(restore.megabytes_per_s, RESTORE_RULE),
                numbers.duration(restore.fixed_s.value),
                _durations(twenty),
                numbers.NONE if twenty is None else against(twenty, TWENTY_GB_RULE),
                "; ".join(
                    f"{numbers.megabytes(figure.megabytes)}: "
                    f"{numbers.duration(figure.measured_s)}, predicted {_durations(figure.seconds)}"
                    for figure in checked
                )
                or numbers.NONE,
            )
        )
    for each in chosen:
        lines += _standbys(each)
    return lines


def _standbys(each: Named) -> list[str]:
    """Restores from nothing, and those of a warm copy, by size; nothing where no standby was
    measured."""
    points = [] if each.measured.restore is None else each.measured.restore.points
    if not any(point.standby for point in points):
        return []
    lines = ["", f"| {each.name} | from nothing: p50, most | with a standby: p50, most |"]
    lines.append("|---|--:|--:|")
    for size in by_size(points):
        sides = ([p.seconds for p in size if p.standby is standby] for standby in (False, True))
        lines.append(_row(numbers.megabytes(size[0].megabytes), *map(_seconds, sides)))
    return lines


def _seconds(all_s: Sequence[float]) -> str:
    if not all_s:
        return numbers.NONE
    return f"{numbers.duration(median(all_s))}, {numbers.duration(max(all_s))}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _estimate(estimate: Estimate | None, form: str) -> str:
    if estimate is None:
        return numbers.NONE
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} [{estimate.low:{form}} – {estimate.high:{form}}]"


def _durations(estimate: Estimate | None) -> str:
    if estimate is None:
        return numbers.NONE
    ends = f" [{numbers.duration(estimate.low)} – {numbers.duration(estimate.high)}]"
    return numbers.duration(estimate.value) + (ends if estimate.low is not None else "")


def _less_one(gain: Estimate) -> Estimate:
    return Estimate(
        value=gain.value - 1,
        low=None if gain.low is None else gain.low - 1,
        high=None if gain.high is None else gain.high - 1,
    )


def _median(figure: Distribution | None, *, records: bool = False) -> str:
    if figure is None:
        return numbers.NONE
    text = numbers.count if records else numbers.duration
    return f"{text(figure.p50.value)}, {text(figure.max)}"
