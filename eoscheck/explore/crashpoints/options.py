"""What a matrix is to do, and who hears how it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.learn import LearnedStep
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.result import CellResult

CLIENT_TIMEOUT_S = 30.0
HALVINGS = 3
CELLS_A_RUN = 60
"""Each audit reads its run from the start: so none has to read more than some minutes of load."""
Repeat = Callable[[Sequence[Cell], Sequence[str]], str]
"""The command that does it again: these cells alone (all where there are none), with settings."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """`cells` by name instead of the matrix of what is learned; `full`: every action and dimension;
    `learn_only`: none of them, but for what the learning shows. `client_timeout_s`: what a client
    whose requests are lost waits at most. `red_enough`: so many red cells end it. `confirm`: each
    red one is tried alone, and then with half the load, at most `halvings` times, while it stays
    red. `cells_a_run`: after so many the rest goes on in a new run, on fresh topics."""

    cells: Sequence[Cell] = ()
    full: bool = False
    seed: int | None = None
    client_timeout_s: float = CLIENT_TIMEOUT_S
    learn_only: bool = False
    red_enough: int | None = None
    confirm: bool = True
    halvings: int = HALVINGS
    cells_a_run: int = CELLS_A_RUN


class Listener:
    """Hears how a matrix goes; all of it may be left as it is."""

    def learned(self, steps: Sequence[LearnedStep], cells: int) -> None:
        """Once: what the app performs, and how many cells that is."""

    def tried(self, outcome: Outcome, left: int) -> None:
        """A cell is over; red ones are found later."""

    def judged(self, result: CellResult) -> None:
        """A red cell, once it was tried alone."""

    def note(self, line: str) -> None:
        """Something else that takes time."""
