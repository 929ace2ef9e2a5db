"""What was measured, as a page: recovery, cost, commit intervals, restores, one or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eoscheck.measure.measured import Measured
from eoscheck.report.html import inert_json, render_page, write_page
from eoscheck.report.measure_view import OUTCOMES, measure_view


def write_measured(measured: Measured, *, path: Path) -> Path:
    """The page of one measure, in one atomic step; opens offline, with its data inside as JSON."""
    return write_measures([measured], path=path)


def write_measures(measures: Sequence[Measured], *, path: Path) -> Path:
    """The same of several, one below the other."""
    return write_page(render_measures(measures), path=path)


def render_measures(measures: Sequence[Measured]) -> str:
    """The page: a pure function of the measures."""
    return render_page(
        "measured.html.j2",
        styles=["report.css", "charts.css"],
        measures=[measure_view(index, each) for index, each in enumerate(measures)],
        title=measures[0].title if len(measures) == 1 else f"{len(measures)} measures",
        outcome=_outcome(measures),
        outcomes=OUTCOMES,
        data=inert_json(list(measures)),
    )


def _outcome(measures: Sequence[Measured]) -> str:
    """The worst of the objectives' judgements; empty where none was stated."""
    found = {
        OUTCOMES[kind.judgement.outcome]
        for each in measures
        if each.recovery is not None
        for kind in each.recovery.kinds
        if kind.judgement is not None
    }
    return next((each for each in ("fail", "unknown", "pass") if each in found), "")
