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
from eoscheck.explore.search.space import Space
from eoscheck.faults.spec import InstanceFault

_LATER_S = 2.0

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
    schedule: Schedule, *, red: Red, runs: int, space: Space, fits: Callable[[Schedule], bool]
) -> Steadiness:
    """The same faults so that they fail each time: where `schedule` does not in so many runs, its
    variants are tried that strike harder. The best of them, and how it did, as far as time allows:
    without any, `runs` is 0."""
    best = _steadiness(schedule, red=red, runs=runs, better_than=-1)
    for variant in _harder(schedule, space):
        if best.share == 1 or best.runs < runs:
            break
        if fits(variant):
            other = _steadiness(variant, red=red, runs=runs, better_than=best.red)
            if other.red > best.red:
                best = other
    return best


def _steadiness(schedule: Schedule, *, red: Red, runs: int, better_than: int) -> Steadiness:
    """Ends early where there can no longer be more reds than `better_than`."""
    reds = done = 0
    while done < runs and reds + runs - done > better_than:
        answer = red(schedule)
        if answer is None:
            break
        done += 1
        reds += answer
    return Steadiness(schedule=schedule, red=reds, runs=done)


def _harder(schedule: Schedule, space: Space) -> Iterator[Schedule]:
    """Struck with a transaction open; for longer; both; and on another instance, too."""

    def longer(table: Any, said: Table) -> Table:
        return _longer(table, said, space.session_s)

    yield _each(schedule, _open)
    yield _each(schedule, longer)
    yield _each(schedule, lambda table, said: longer(table, _open(table, said)))
    if len(schedule.faults) == 1:
        yield schedule.only([*schedule.faults, *_elsewhere(schedule.faults[0], space)])


def _each(schedule: Schedule, change: Callable[[Any, Table], Table]) -> Schedule:
    tables = tables_of(schedule)
    return schedule.only(
        [change(table, said) for table, said in zip(tables, schedule.faults, strict=True)]
    )


def _open(table: object, said: Table) -> Table:
    return {**said, "open_transaction": True} if isinstance(table, InstanceFault) else said


def _elsewhere(said: Table, space: Space) -> Iterator[Table]:
    """The same later, when the first one is over, on the next instance."""
    target = said.get("target")
    if isinstance(target, int) and space.instances > 1:
        (table,) = tables_of(Schedule(faults=(said,)))
        at_ms = round((table.at_s + table.down_s[1] + _LATER_S) * 1000)
        yield {**said, "target": (target + 1) % space.instances, "at": f"{at_ms}ms"}


def _longer(table: Any, said: Table, session_s: float) -> Table:
    if "down" not in said:
        return said
    return {**said, "down": f"{round((table.down_s[1] + session_s) * 1000)}ms"}
