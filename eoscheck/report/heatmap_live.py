"""How a crash point matrix goes: a line for each cell, with a forecast."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from eoscheck.explore.crashpoints.learn import LearnedStep
from eoscheck.explore.crashpoints.options import Listener
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.result import CellResult
from eoscheck.report import numbers


class MatrixProgress(Listener):
    """Prints to `console`, standard error as a rule. The forecast is the mean of the cells so far:
    one of a crash takes longer than one of a lost answer, so it is told as a rough one."""

    def __init__(self, *, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began: float | None = None
        self._done = 0
        self._total = 0

    def learned(self, steps: Sequence[LearnedStep], cells: int) -> None:
        names = ", ".join(each.step for each in steps)
        self._print(f"learned {numbers.plural(len(steps), 'step')}: {names}")
        self._print(f"{numbers.plural(cells, 'cell')} to try")
        self._began = self._clock()

    def tried(self, outcome: Outcome, left: int) -> None:
        if self._began is None:
            self._began = outcome.began
        self._done += 1
        each_s = (self._clock() - self._began) / self._done
        self._total = max(self._total, self._done + left)
        if outcome.firing is None:
            said = f"not reached: {outcome.reason or outcome.stalled}"
        elif outcome.stalled or outcome.unsure:
            said = outcome.stalled or outcome.unsure
        else:
            said = f"instance {outcome.instance}" + (", rolled back" if outcome.rolled_back else "")
        forecast = f", about {numbers.duration(round(each_s * left))} left" if left else ""
        self._print(
            f"[{self._done}/{self._total}] {outcome.cell.name}: {said}, "
            f"{numbers.duration(outcome.ended - outcome.began)}{forecast}"
        )

    def judged(self, result: CellResult) -> None:
        self._print(f"✗ {result.name}: {result.reason}", style="red")

    def note(self, line: str) -> None:
        self._print(line)

    def _print(self, line: str, *, style: str = "") -> None:
        self._console.print(Text(line, style=style), soft_wrap=True)
