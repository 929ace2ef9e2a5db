"""Which cell comes next: so that one cell's end is another one's occasion."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from eoscheck.explore.crashpoints.cells import Cell, base_matrix, full_matrix
from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion, usual_occasion
from eoscheck.wire import Step

_LONGEST_CHAIN = 2
"""Cells after which an instance is still down: then it comes back for good."""


class Agenda:
    """The cells to be tried, each until it is `done`. Without `cells` they are the matrix of the
    steps that are learned, or none where it is to `learn_only`. The order is a function of the seed
    and of what was done."""

    def __init__(
        self,
        *,
        cells: Sequence[Cell] = (),
        full: bool = False,
        learn_only: bool = False,
        seed: int,
    ) -> None:
        self.steps: list[LearnedStep] = []
        self._named = bool(cells)
        self._full = full
        self._learn_only = learn_only
        self._seed = seed
        self._left = list(dict.fromkeys(cells))
        self._known = set(self._left)

    @property
    def left(self) -> list[Cell]:
        return list(self._left)

    @property
    def needs_learning(self) -> bool:
        """False where the cells were named, or the steps are known."""
        return not self._named and not self.steps

    def learned(self, steps: Sequence[LearnedStep]) -> None:
        self.steps = list(steps)
        self._add(self._matrix([each.step for each in steps]))

    def discovered(self, step: Step) -> None:
        """One that no fault-free stretch shows: an abort. Its cells come too, where the matrix is
        of what is learned."""
        if self._named or step in {each.step for each in self.steps}:
            return
        self.steps.append(LearnedStep(step=step, occasion=usual_occasion(step), times=1))
        self._add(cell for cell in self._matrix([step]) if not cell.span)

    def next(self, *, down: bool, chain: int) -> Cell | None:
        """None where all are done. `down`: an instance is, after `chain` cells in a row."""
        for wanted in self._down(chain) if down else self._up():
            chosen = [cell for cell in self._left if wanted(cell)]
            if chosen:
                return chosen[0]
        return None

    def done(self, cell: Cell) -> None:
        self._left.remove(cell)

    def again(self, cells: Iterable[Cell]) -> None:
        """They were tried, and what came of that cannot be told from another cell's."""
        self._left += [cell for cell in cells if cell not in self._left]

    def _matrix(self, steps: Sequence[Step]) -> list[Cell]:
        if self._learn_only:
            return []
        return full_matrix(steps) if self._full else base_matrix(steps)

    def _add(self, cells: Iterable[Cell]) -> None:
        fresh = [cell for cell in cells if cell not in self._known]
        random.Random(self._seed).shuffle(fresh)
        self._known.update(fresh)
        self._left += fresh

    def _occasion(self, cell: Cell) -> Occasion:
        learned = {each.step: each.occasion for each in self.steps}
        return learned.get(cell.step, usual_occasion(cell.step))

    def _down(self, chain: int) -> list[Callable[[Cell], bool]]:
        """It starts anyway: what happens at a start comes cheap."""

        def starts(cell: Cell) -> bool:
            return self._occasion(cell) is Occasion.START

        crash = [lambda cell: starts(cell) and cell.crashes] if chain < _LONGEST_CHAIN else []
        return [*crash, lambda cell: starts(cell) and not cell.crashes, *self._up()]

    def _up(self) -> list[Callable[[Cell], bool]]:
        """Lost spans first, for they show whether the app aborts; whatever leaves an instance down
        late, with what happens at its start behind it."""

        def at(*occasions: Occasion) -> Callable[[Cell], bool]:
            return lambda cell: self._occasion(cell) in occasions

        work = at(Occasion.WORK)
        return [
            lambda cell: cell.span,
            lambda cell: work(cell) and not cell.crashes,
            at(Occasion.ROLLBACK),
            at(Occasion.WORK, Occasion.STOP),
            at(Occasion.START),
            lambda _cell: True,
        ]
