"""What a search tells at its end: in words on a terminal, or as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eoscheck.explore.search.schedule import in_words
from eoscheck.run.naming import repeat_command

if TYPE_CHECKING:
    from eoscheck.explore.search.search import Exploration

_SHOWN_REASONS = 3


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`scenario` is the saved file, `repeat` the command that runs it again, `run` the folder of
    the last red run and `report` its page: all are None where nothing was found. `schedule` is in
    words, `cells` are steps of the protocol at which a fault struck. `left_out`: kinds that were
    not explored, and why."""

    found: bool
    codes: list[str]
    schedule: list[str]
    scenario: str | None
    repeat: str | None
    run: str | None
    report: str | None
    red: int
    of_runs: int
    faults: int
    faults_before_shrinking: int
    found_after_s: float | None
    by_database: bool
    failed_once: int
    runs: dict[str, int]
    unknowns: dict[str, int]
    states: list[str]
    cells: list[str]
    left_out: dict[str, str]
    never_bit: list[str]
    used_s: float
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 nothing found within the budget, 1 found, 2 interrupted before."""
        if self.found:
            return 1
        return 2 if self.interrupted else 0


def tell(
    exploration: Exploration,
    *,
    scenario: Path | None,
    report: Path | None = None,
    left_out: Mapping[str, str],
) -> Told:
    worst = exploration.worst
    return Told(
        found=worst is not None,
        codes=list(worst.codes) if worst else [],
        schedule=in_words(worst.schedule) if worst else [],
        scenario=str(scenario) if scenario else None,
        repeat=repeat_command(["run", scenario]) if scenario else None,
        run=worst.folder if worst else None,
        report=str(report) if report else None,
        red=worst.red if worst else 0,
        of_runs=worst.runs if worst else 0,
        faults=len(worst.schedule.faults) if worst else 0,
        faults_before_shrinking=worst.shrunk_from if worst else 0,
        found_after_s=round(worst.after_s, 1) if worst else None,
        by_database=worst is not None and worst.by_database,
        failed_once=len(exploration.once),
        runs=exploration.runs,
        unknowns=exploration.unknowns,
        states=list(exploration.states),
        cells=[state for state in exploration.states if state.startswith("cell ")],
        left_out=dict(left_out),
        never_bit=list(exploration.hopeless),
        used_s=round(exploration.used_s, 1),
        interrupted=exploration.interrupted,
    )


def in_lines(told: Told) -> Iterator[str]:
    """For a terminal."""
    if told.interrupted:
        yield "interrupted: this is what was found until then"
    if told.found:
        yield from _found(told)
    else:
        yield "nothing found"
    runs = ", ".join(f"{number} {verdict}" for verdict, number in sorted(told.runs.items()))
    yield f"runs:    {sum(told.runs.values())} in {told.used_s:.0f} s ({runs or 'none'})"
    yield f"reached: {len(told.states)} states, {len(told.cells)} cells of the protocol"
    for reason, number in list(told.unknowns.items())[:_SHOWN_REASONS]:
        yield f"unknown: {number} × {reason}"
    if told.never_bit:
        yield f"never bit this subject: {', '.join(told.never_bit)}"
    for reason, kinds in _by_reason(told.left_out).items():
        yield f"left out: {', '.join(kinds)} ({reason})"


def _found(told: Told) -> Iterator[str]:
    again = "" if told.red > 1 else ", and did not come again: it may need luck to repeat"
    yield f"found:   {', '.join(told.codes)}, red in {told.red} of {told.of_runs} runs{again}"
    for number, line in enumerate(told.schedule):
        yield f"{'faults: ' if not number else '        '} {line}"
    if told.faults_before_shrinking > told.faults:
        yield f"         (of {told.faults_before_shrinking} faults before shrinking)"
    yield f"saved:   {told.scenario}"
    yield f"report:  {told.report}"
    yield f"repeat:  {told.repeat}"


def _by_reason(left_out: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    reasons: dict[str, list[str]] = {}
    for kind, reason in left_out.items():
        reasons.setdefault(reason, []).append(kind)
    return reasons
