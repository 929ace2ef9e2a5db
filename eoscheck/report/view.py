"""One run, arranged for the page: what the template would otherwise have to work out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from eoscheck.audit.findings import AuditReport, Code
from eoscheck.measure.figures import LatencyFigure, Recovery, RunFigures, State
from eoscheck.report import numbers
from eoscheck.report.card import FindingCard, finding_card
from eoscheck.report.drawing import Point, Row, StripPlot, strip_plot
from eoscheck.report.panel import Panel
from eoscheck.report.quantile_chart import latency_panel
from eoscheck.report.sequence import SequenceChart, sequence_chart
from eoscheck.report.words import (
    MEANING,
    committed,
    expectation,
    further_reasons,
    lost_and_duplicated,
    run_headline,
    struck_by,
)
from eoscheck.run.result import RunResult

NO_STEPS: Mapping[str, str] = {}
_OPEN_FINDINGS = 3
_MOST_CARDS = 30
"""Of one code: a report of a run where all goes wrong stays small, and has the rest as data."""
_STATES: Sequence[State] = get_args(State)


@dataclass(frozen=True, kw_only=True)
class Tile:
    label: str
    value: int
    note: str = ""
    bad: bool = False


@dataclass(frozen=True, kw_only=True)
class FindingGroup:
    """All findings of one code; `total` counts those too that the audit did not list."""

    code: Code
    meaning: str
    total: int
    allowed: bool
    first: Sequence[FindingCard]
    rest: Sequence[FindingCard]

    @property
    def listed(self) -> int:
        return len(self.first) + len(self.rest)


@dataclass(frozen=True, kw_only=True)
class RunView:
    index: int
    run: RunResult
    anchor: str
    headline: str
    expectation: str
    reasons: list[str]
    committed: int
    lost: int
    duplicated: int
    counts: list[tuple[str, list[Tile]]]
    strips: StripPlot | None
    bound: float | None
    judged_over_all: int
    without_input: int
    latency: list[tuple[str, LatencyFigure]]
    latency_chart: Panel | None
    groups: list[FindingGroup]
    alarming: bool
    """Findings come before the figures."""
    held_back: bool
    states: list[str]
    """That a lane of the timeline shows."""
    sequences: list[tuple[str, SequenceChart]]
    """Each with its anchor."""


def run_view(index: int, run: RunResult) -> RunView:
    figures = run.figures
    lost, duplicated = lost_and_duplicated(run.audit)
    recovered = figures.recovery.recovered
    anchors = {
        each.title: f"steps-{index + 1}-{n}" for n, each in enumerate(run.sequences, start=1)
    }
    groups = finding_groups(run.audit, steps=anchors)
    shown = {span.state for lane in figures.lanes for span in lane.spans}
    latency = [
        (label, figure)
        for label, figure in (
            ("steady state", figures.latency.steady),
            ("under faults", figures.latency.faults),
            ("all", figures.latency.overall),
        )
        if figure is not None
    ]
    return RunView(
        index=index,
        run=run,
        anchor=f"run-{index + 1}",
        headline=run_headline(run),
        expectation=expectation(run),
        reasons=further_reasons(run),
        committed=committed(run),
        lost=lost,
        duplicated=duplicated,
        counts=[("Input", _input(run)), ("Output", _output(run)), ("Faults", _faults(run))],
        strips=strip_plot(_recovery_rows(figures)),
        bound=None if recovered is None else recovered.p50.upper,
        judged_over_all=sum(r.judged_by == "all" for r in figures.recoveries),
        without_input=sum(r.outcome == "no_input" for r in figures.recoveries),
        latency=latency,
        latency_chart=latency_panel("Latency by quantile", latency[:-1] or latency),
        groups=groups,
        alarming=bool(run.audit.unknowns) or any(not group.allowed for group in groups),
        held_back=any(figures.timeline.held_back),
        states=[state for state in _STATES if state in shown],
        sequences=[(anchors[each.title], sequence_chart(each)) for each in run.sequences],
    )


def finding_groups(
    audit: AuditReport, *, steps: Mapping[str, str] = NO_STEPS
) -> list[FindingGroup]:
    """Anomalies first, then what the guarantee allows; each code once. `steps`: anchors of protocol
    steps, by what they are around."""
    return [*_groups(audit, allowed=False, steps=steps), *_groups(audit, allowed=True, steps=steps)]


def remark(fault: Recovery) -> str:
    """What has to be known to read a fault's row."""
    remarks = {
        "no_input": "no input afterwards",
        "not_recovered": "not recovered in this run",
        "recovered": "",
    }
    parts = [remarks[fault.outcome]]
    if fault.judged_by == "all":
        parts.append("judged over all partitions")
    if fault.overlapped:
        parts.append("overlapped by another fault")
    return "; ".join(part for part in parts if part)


_ENDINGS = (
    ("First output", "recovered", "recovered_after_s"),
    ("All partitions", "all_recovered", "all_recovered_after_s"),
    ("Caught up", "caught_up", "caught_up_after_s"),
)


def _recovery_rows(figures: RunFigures) -> Iterable[Row]:
    """Kind by kind where there are several."""
    by_kind = figures.recovery_by_kind
    summaries = by_kind if len(by_kind) > 1 else {"": figures.recovery}
    for kind, summary in summaries.items():
        for label, name, attribute in _ENDINGS:
            points = _recovery_points(figures.recoveries, attribute, kind=kind)
            yield Row(label, points, getattr(summary, name), kind)


def _recovery_points(recoveries: Sequence[Recovery], name: str, *, kind: str) -> list[Point]:
    """`kind`: of which kind, or of all of them where it is empty."""
    points = []
    for number, each in enumerate(recoveries, start=1):
        value = getattr(each, name)
        if each.outcome == "no_input" or value is None or kind not in ("", each.kind):
            continue
        struck = struck_by(each.kind, instance=each.instance, target=each.target)
        says = f"fault {number}, {struck} at {numbers.moment(each.t)}: {numbers.duration(value)}"
        look = "wiped" if each.wiped else "outlasted" if each.outlasts_session else ""
        points.append(Point(value, says, look))
    return points


def _groups(
    audit: AuditReport, *, allowed: bool, steps: Mapping[str, str]
) -> Iterable[FindingGroup]:
    totals = audit.allowed if allowed else audit.anomalies
    for code, total in ((code, totals.get(code, 0)) for code in Code):
        findings = [
            finding_card(each, steps=steps)
            for each in audit.findings
            if each.code is code and each.allowed is allowed
        ]
        opened = 0 if allowed else _OPEN_FINDINGS
        cards = findings[:_MOST_CARDS]
        if total:
            yield FindingGroup(
                code=code,
                meaning=MEANING[code],
                total=total,
                allowed=allowed,
                first=cards[:opened],
                rest=cards[opened:],
            )


def _input(run: RunResult) -> list[Tile]:
    counts = run.figures.counts
    tiles = [
        Tile(label="sent", value=counts.sent),
        Tile(label="acknowledged", value=counts.acknowledged),
        Tile(label="aborted on purpose", value=counts.aborted),
        Tile(label="indeterminate", value=counts.indeterminate),
    ]
    return [*tiles, Tile(label="failed", value=counts.failed)] if counts.failed else tiles


_ALWAYS: Mapping[Code, str] = {
    Code.LOST: "lost",
    Code.DUPLICATE: "duplicated",
    Code.REORDERED: "reordered",
    Code.ABORTED_VISIBLE: "visible though aborted",
    Code.HANGING_TRANSACTION: "hanging transactions",
}


def _output(run: RunResult) -> list[Tile]:
    """What people ask for first always, the other codes where they were found."""
    audit = run.audit
    tiles = [Tile(label="committed", value=committed(run))]
    aborted = [each.aborted_records for each in audit.transactions if each.topic == audit.output]
    tiles += [Tile(label="aborted outputs", value=number) for number in aborted]
    for code in [*_ALWAYS, *(code for code in Code if code not in _ALWAYS)]:
        anomalies, allowed = audit.anomalies.get(code, 0), audit.allowed.get(code, 0)
        if code in _ALWAYS or anomalies + allowed:
            label = _ALWAYS.get(code, code.value.lower().replace("_", " "))
            note = "allowed" if allowed and not anomalies else ""
            tile = Tile(label=label, value=anomalies + allowed, note=note, bad=anomalies > 0)
            tiles.append(tile)
    return tiles


def _faults(run: RunResult) -> list[Tile]:
    tally = run.tally
    return [
        Tile(label=f"bit, of {tally.planned:,} planned", value=tally.injected),
        Tile(label="left a transaction open", value=tally.left_open),
        Tile(label="outlasted the session", value=tally.outlasted_session),
        Tile(label="lost their state", value=tally.wiped),
        *(
            [Tile(label="rolled back by the app", value=tally.rolled_back)]
            if tally.rolled_back is not None
            else []
        ),
        *([Tile(label="did not bite", value=tally.missed, bad=True)] if tally.missed else []),
    ]
