"""What the attempts of an exam come to: what catches whom, how soon, and which share by chance."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from eoscheck.explore.own_exam.control import Shown, control_of, shown
from eoscheck.explore.own_exam.plan import Attempt, Bug, Means
from eoscheck.explore.own_exam.results import Results

DETERMINISTIC = (Means.CATALOGUE, Means.CRASHPOINTS)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One bug by one means. `seconds` until it was found, or in all where it was not; `codes` and
    `fault` are those that found it; `repeat` is the command that did, or the last one that did not.
    `problem`: why the last attempt said nothing. Of a catch, `control` says whether the same
    without the bug (`control_repeat`) is green: where it is not, nothing is shown."""

    bug: str
    means: Means
    caught: bool
    attempts: int
    seconds: float
    codes: dict[str, int]
    fault: str
    repeat: str
    problem: str = ""
    control: Shown | None = None
    control_repeat: str = ""

    @property
    def shown(self) -> bool:
        return self.caught and self.control is not Shown.NOT_GREEN


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """Of the catches by one means: how many controls are green, are not, and are not there."""

    green: int
    not_green: int
    missing: int


class Loads(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's load averages while `entries` attempts and controls were made."""

    entries: int
    lowest: float
    median: float
    highest: float


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """Of `bugs`, how many were found within the same time by `kills` and by `crashpoints`."""

    bugs: int
    kills: int
    crashpoints: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`bugs` are those that were asked for; `rows` are there where there was an attempt.

    `within_budget` counts, by means, the bugs that were found within `budget_s`, of those that
    `tried` counts; `median_s` is the time to find of those that were found at all. `paired` are the
    same counts over the bugs that both random kills and crash points were tried on. A catch whose
    control is not green counts nowhere; `controls` tells them by means. `loads` is None where none
    was kept.
    """

    bugs: list[str]
    budget_s: float
    rows: list[Row]
    tried: dict[Means, int]
    caught: dict[Means, int]
    within_budget: dict[Means, int]
    median_s: dict[Means, float]
    paired: Paired
    controls: dict[Means, Controls]
    loads: Loads | None
    not_caught: list[str]

    @property
    def exit_code(self) -> int:
        """0 where every bug was caught by something deterministic."""
        return 1 if self.not_caught else 0

    def row(self, bug: str, means: Means) -> Row | None:
        return next((each for each in self.rows if (each.bug, each.means) == (bug, means)), None)


def summarise(bugs: Sequence[Bug], results: Results, *, budget_s: float) -> Summary:
    """Pure: the same results come to the same."""
    attempts = results.attempts
    rows = [
        _row(bug, done, results)
        for bug in bugs
        for means in Means
        if (done := [each for each in attempts if (each.bug, each.means) == (bug.name, means)])
    ]
    made = [row for row in rows if row.caught or not row.problem]
    by_means = {means: [row for row in made if row.means is means] for means in Means}
    found = {means: [row for row in of if row.shown] for means, of in by_means.items()}
    both = {row.bug for row in by_means[Means.KILLS]}
    both &= {row.bug for row in by_means[Means.CRASHPOINTS]}

    def in_time(means: Means) -> int:
        of = [row for row in found[means] if row.bug in both]
        return sum(row.seconds <= budget_s for row in of)

    certain = {row.bug for row in rows if row.shown and row.means in DETERMINISTIC}
    return Summary(
        bugs=[bug.name for bug in bugs],
        budget_s=budget_s,
        rows=rows,
        tried={means: len(of) for means, of in by_means.items()},
        caught={means: len(of) for means, of in found.items()},
        within_budget={
            means: sum(row.seconds <= budget_s for row in of) for means, of in found.items()
        },
        median_s={
            means: round(median(row.seconds for row in of), 1) for means, of in found.items() if of
        },
        paired=Paired(
            bugs=len(both),
            kills=in_time(Means.KILLS),
            crashpoints=in_time(Means.CRASHPOINTS),
        ),
        controls={means: _controls(of) for means, of in by_means.items()},
        loads=_loads(results),
        not_caught=[bug.name for bug in bugs if bug.name not in certain],
    )


def _row(bug: Bug, done: Sequence[Attempt], results: Results) -> Row:
    """Attempts until the first that caught it."""
    until = next((number for number, each in enumerate(done, start=1) if each.caught), len(done))
    last = done[until - 1]
    return Row(
        bug=last.bug,
        means=last.means,
        caught=last.caught,
        attempts=until,
        seconds=round(sum(each.seconds for each in done[:until]), 1),
        codes=last.codes if last.caught else {},
        fault=last.fault if last.caught else "",
        repeat=last.repeat,
        problem=last.problem,
        control=shown(last, bug, results.controls) if last.caught else None,
        control_repeat=control_of(last, bug),
    )


def _controls(rows: Sequence[Row]) -> Controls:
    said = [row.control for row in rows]
    return Controls(
        green=said.count(Shown.GREEN),
        not_green=said.count(Shown.NOT_GREEN),
        missing=said.count(Shown.MISSING),
    )


def _loads(results: Results) -> Loads | None:
    kept = [each.load for each in results.attempts if each.load is not None]
    kept += [each.load for each in results.controls]
    if not kept:
        return None
    return Loads(
        entries=len(kept),
        lowest=min(kept),
        median=round(median(kept), 1),
        highest=max(kept),
    )
