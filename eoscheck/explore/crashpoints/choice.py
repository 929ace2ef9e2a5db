"""What is left to chance in a cell: the victim, and the how manieth request."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion, usual_occasion

_MOST_NTH = 3


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the seed chose for a cell. `nths` are tried one after the other."""

    instance: int
    nths: Sequence[int]
    occasion: Occasion


def choose(cell: Cell, *, seed: int, steps: Sequence[LearnedStep], instances: int) -> Choice:
    """A pure function: the same seed, the same victims. Where a later occurrence does not come, the
    first one is tried."""
    chance = random.Random(f"{seed} {cell.name}")
    learned = {each.step: each for each in steps}.get(cell.step)
    occasion = usual_occasion(cell.step) if learned is None else learned.occasion
    # What comes by itself comes as often as one likes.
    most = _MOST_NTH if occasion is Occasion.WORK else 1 if learned is None else learned.times
    nth = 1 if cell.span else chance.randint(1, min(most, _MOST_NTH))
    return Choice(
        instance=chance.randrange(instances),
        nths=list(dict.fromkeys([nth, 1])),
        occasion=occasion,
    )
