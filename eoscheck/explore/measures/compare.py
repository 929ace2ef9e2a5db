"""Two folders of the same kind, compared: runs, demos or measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.errors import UsageError
from eoscheck.explore.measures import figures
from eoscheck.explore.measures.folder import read_measured
from eoscheck.measure.comparison import Change, Figure, changes
from eoscheck.measure.measured import MEASURED_FILE
from eoscheck.run.kept import read_kept
from eoscheck.run.result import DEMO_FILE, RESULT_FILE, DemoResult, RunResult

_BESIDE = frozenset({"eoscheck"})
"""What may well be another one: it is what is compared."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`verdicts`: scenarios that do not come out as before, each a line; `broken`: how many of them
    passed, and now fail. `environment`: where the two were not taken under the same conditions."""

    what: str
    before: str
    after: str
    changes: list[Change]
    verdicts: list[str]
    broken: int
    environment: list[str]

    @property
    def regressions(self) -> int:
        return self.broken + sum(each.outcome == "regression" for each in self.changes)


@dataclass(frozen=True, kw_only=True)
class _Side:
    """`about`: what must be the same of two that are compared."""

    about: str
    figures: Sequence[Figure]
    verdicts: dict[str, Verdict]
    environment: dict[str, str]


def compare(before: Path, after: Path) -> Comparison:
    """Raises UsageError, one line, where they cannot be compared."""
    one, two = _read(before), _read(after)
    if one.about != two.about:
        raise UsageError(
            f"{before} and {after} cannot be compared: {one.about} against {two.about}"
        )
    found = changes(one.figures, two.figures)
    if not found:
        raise UsageError(f"{before} and {after} have no figure in common")
    moved = [
        (name, verdict, two.verdicts[name])
        for name, verdict in one.verdicts.items()
        if name in two.verdicts and two.verdicts[name] is not verdict
    ]
    return Comparison(
        what=one.about,
        before=str(before),
        after=str(after),
        changes=found,
        verdicts=[f"{name}: {was.value}, now {now.value}" for name, was, now in moved],
        broken=sum(was is Verdict.PASS and now is Verdict.FAIL for _, was, now in moved),
        environment=[
            f"{name}: {value}, then {two.environment.get(name, '–')}"
            for name, value in one.environment.items()
            if name not in _BESIDE and two.environment.get(name) != value
        ],
    )


def _read(folder: Path) -> _Side:
    if (folder / MEASURED_FILE).is_file():
        return _of_measure(folder)
    if (folder / DEMO_FILE).is_file():
        demo = read_kept(folder / DEMO_FILE, DemoResult)
        return _Side(
            about="a demo",
            figures=list(figures.of_demo(demo)),
            verdicts={run.scenario: run.verdict for run in demo.runs},
            environment=demo.runs[0].environment if demo.runs else {},
        )
    if (folder / RESULT_FILE).is_file():
        run = read_kept(folder / RESULT_FILE, RunResult)
        return _Side(
            about=f"a run of {run.scenario} under {run.guarantee.value}",
            figures=list(figures.of_run(run)),
            verdicts={run.scenario: run.verdict},
            environment=run.environment,
        )
    raise UsageError(
        f"{folder} is no folder of a finished run, demo or measure: it has none of "
        f"{RESULT_FILE}, {DEMO_FILE}, {MEASURED_FILE}"
    )


def _of_measure(folder: Path) -> _Side:
    measured = read_measured(folder)
    runs = [folder / Path(run).name / RESULT_FILE for run in measured.runs]
    results = [read_kept(path, RunResult) for path in runs if path.is_file()]
    verdicts = {run.run_id.removeprefix(f"{measured.measure_id}-"): run.verdict for run in results}
    return _Side(
        about=f"a measure of {measured.what} of {measured.scenario}",
        figures=list(figures.of_measure(measured)),
        verdicts=verdicts,
        environment=measured.environment,
    )
