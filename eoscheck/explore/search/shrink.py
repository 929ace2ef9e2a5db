"""A failing schedule made as small as it gets: fewest faults first.

Our own, not Hypothesis's shrinker: that one makes hundreds of small steps and takes one answer for
each as the truth. Here an answer costs seconds and may be wrong (a run that was green may be red
the next time), and what a reader wants is the fewest faults, not the smallest numbers. So: every
smaller set of the same faults, the smallest sets first, each up to `tries` times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import msgspec

from eoscheck.explore.search.schedule import Schedule, Table, tables_of
from eoscheck.faults.spec import InstanceFault

Red = Callable[[Schedule], bool | None]
"""One run: whether it failed; None where no time is left for it."""


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """How often of how many runs a schedule was red."""

    schedule: Schedule
    red: int
    runs: int

    @property
    def share(self) -> float:
        return self.red / self.runs if self.runs else 0.0


def smallest(schedule: Schedule, *, red: Red, tries: int = 2) -> Schedule:
    """The smallest that failed at least once, of the subsets of its faults, and then with the load
    as the scenario has it. As far as time allowed: what it gives has failed, in any case."""
    found = _fewest_faults(schedule, red=red, tries=tries)
    return _plainest_load(found, red=red, tries=tries)


def _fewest_faults(schedule: Schedule, *, red: Red, tries: int) -> Schedule:
    for size in range(len(schedule.faults)):
        # Once for each before any has its second chance: mostly the first answer is right.
        for _ in range(tries if size else 1):
            for subset in _subsets(schedule.faults, size):
                answer = red(schedule.only(subset))
                if answer is None:
                    return schedule
                if answer:
                    return schedule.only(subset)
    return schedule


def _subsets(faults: tuple[Table, ...], size: int) -> Iterator[tuple[Table, ...]]:
    """The later ones first: what was struck last is nearest to what was found."""
    for chosen in combinations(reversed(range(len(faults))), size):
        yield tuple(faults[number] for number in sorted(chosen))


def _plainest_load(schedule: Schedule, *, red: Red, tries: int) -> Schedule:
    if not schedule.load:
        return schedule
    plain = msgspec.structs.replace(schedule, load={})
    if _any_red(plain, red=red, tries=tries):
        return plain
    for knob in sorted(schedule.load) if len(schedule.load) > 1 else ():
        fewer = {key: value for key, value in schedule.load.items() if key != knob}
        without = msgspec.structs.replace(schedule, load=fewer)
        if _any_red(without, red=red, tries=1):
            schedule = without
    return schedule


def _any_red(schedule: Schedule, *, red: Red, tries: int) -> bool:
    return any(red(schedule) for _ in range(tries))


def steadiest(
    schedule: Schedule, *, red: Red, runs: int, session_s: float, fits: Callable[[Schedule], bool]
) -> Steadiness:
    """The same faults so that they fail each time: where `schedule` does not in so many runs, its
    variants are tried that strike harder. The best of them, and how it did."""
    best = _steadiness(schedule, red=red, runs=runs, give_up_below=0)
    for variant in _harder(schedule, session_s):
        if best.share == 1 or red_is_over(best, runs):
            break
        if not fits(variant):
            continue
        other = _steadiness(variant, red=red, runs=runs, give_up_below=best.red)
        if other.share > best.share and other.runs == runs:
            best = other
    return best


def red_is_over(steadiness: Steadiness, runs: int) -> bool:
    """There was no time for all of its runs."""
    return steadiness.runs < runs


def _steadiness(schedule: Schedule, *, red: Red, runs: int, give_up_below: int) -> Steadiness:
    """Ends early where it can no longer be better than `give_up_below` reds."""
    reds = done = 0
    for turn in range(runs):
        answer = red(schedule)
        if answer is None:
            break
        done += 1
        reds += answer
        if give_up_below and reds + (runs - turn - 1) <= give_up_below:
            break
    return Steadiness(schedule=schedule, red=reds, runs=done)


def _harder(schedule: Schedule, session_s: float) -> Iterator[Schedule]:
    """Struck with a transaction open; for longer; with more to do meanwhile."""
    yield _each(schedule, lambda table, said: _open(table, said))
    yield _each(schedule, lambda table, said: _longer(table, said, session_s))
    yield _each(schedule, lambda table, said: _longer(table, _open(table, said), session_s))


def _each(schedule: Schedule, change: Callable[[Any, Table], Table]) -> Schedule:
    tables = tables_of(schedule)
    return schedule.only(
        [change(table, said) for table, said in zip(tables, schedule.faults, strict=True)]
    )


def _open(table: object, said: Table) -> Table:
    return {**said, "open_transaction": True} if isinstance(table, InstanceFault) else said


def _longer(table: Any, said: Table, session_s: float) -> Table:
    if "down" not in said:
        return said
    return {**said, "down": f"{round((table.down_s[1] + session_s) * 1000)}ms"}
