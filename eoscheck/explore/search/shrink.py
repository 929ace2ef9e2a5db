"""A failing schedule made as small as it gets: fewest faults first.

Our own, not Hypothesis's shrinker: that one makes hundreds of small steps and takes one answer for
each as the truth. Here an answer costs seconds and may be wrong (a run that was green may be red
the next time), and what a reader wants is the fewest faults, not the smallest numbers. So: every
smaller set of the same faults, the smallest sets first, and what fails is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import msgspec

from eoscheck.explore.search.loads import busy
from eoscheck.explore.search.schedule import Schedule, Table, tables_of
from eoscheck.explore.search.space import Space
from eoscheck.faults.spec import InstanceFault
from eoscheck.faults.wire import GIVES_UP, DropRequest, DropResponse

_LATER_S = 2.0
_GIVES_UP_WITHIN = "20s"
_LUCK = 2
_WORTH_HARDER = 2
"""Variants are tried of sets that are as small."""

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

    @property
    def steady(self) -> bool:
        """So often that it is no luck any more."""
        return self.red == self.runs > _LUCK


def smallest(
    failed: Steadiness,
    *,
    red: Red,
    space: Space,
    fits: Callable[[Schedule], bool],
    tries: int = 2,
    runs: int = 3,
) -> Steadiness:
    """The fewest of its faults that fail each time, in `runs` runs, with the load as the scenario
    has it where that will do; one that keeps the app busy is no chance, and stays.

    Fewer that fail only now and then are made to strike harder, and else given up for more that do:
    a scenario that must be run ten times shows nobody anything. Where none fails each time, it is
    the one that did most often. As far as time allows: what it gives has failed, in any case.
    """
    best: Steadiness | None = None
    for size in range(len(failed.schedule.faults) + 1):
        whole = size == len(failed.schedule.faults)
        found = (
            _as_often(failed, red=red, runs=runs)
            if whole
            else _of_size(failed.schedule, size, red=red, tries=tries, runs=runs)
        )
        if found is not None and not found.steady and size <= _WORTH_HARDER:
            found = steadiest(found, red=red, runs=runs, space=space, fits=fits)
        if found is not None and (best is None or found.share > best.share):
            best = found
        if best is not None and best.steady:
            break
    best = best or failed
    if best.schedule.load == busy(space.load):
        return best
    return _plainest_load(best, red=red, runs=runs)


def _of_size(
    schedule: Schedule, size: int, *, red: Red, tries: int, runs: int
) -> Steadiness | None:
    """The first subset that fails each time, else the one that failed most; None: none did."""
    best = None
    subsets = [schedule.only(subset) for subset in _subsets(schedule.faults, size)]
    # Once for each before any has its second chance: mostly the first answer is right.
    for _ in range(tries if size else 1):
        for subset in subsets:
            answer = red(subset)
            if answer is None:
                return best
            if answer:
                rest = _steadiness(subset, red=red, runs=runs - 1, better_than=-1)
                found = Steadiness(schedule=subset, red=rest.red + 1, runs=rest.runs + 1)
                if found.steady:
                    return found
                if best is None or found.share > best.share:
                    best = found
        if best is not None:
            break
    return best


def _as_often(found: Steadiness, *, red: Red, runs: int) -> Steadiness:
    """What was red each time so far, until it was in `runs` runs, or green: none of those that it
    had is asked for twice."""
    if found.red < found.runs:
        return found
    return _until_green(found.schedule, red=red, runs=runs, before=found.red)


def _subsets(faults: tuple[Table, ...], size: int) -> Iterator[tuple[Table, ...]]:
    """The later ones first: what was struck last is nearest to what was found."""
    for chosen in combinations(reversed(range(len(faults))), size):
        yield tuple(faults[number] for number in sorted(chosen))


def _plainest_load(found: Steadiness, *, red: Red, runs: int) -> Steadiness:
    """All knobs at once, and else one by one, each where it fails as often without."""
    load = found.schedule.load
    if not load:
        return found
    fewer = [{}, *({k: v for k, v in load.items() if k != knob} for knob in sorted(load))]
    for knobs in fewer if len(load) > 1 else fewer[:1]:
        plainer = msgspec.structs.replace(found.schedule, load=knobs)
        answer = _steadiness(plainer, red=red, runs=runs, better_than=found.red - 1)
        if answer.runs == runs and answer.share >= found.share:
            return answer
    return found


def steadiest(
    found: Steadiness, *, red: Red, runs: int, space: Space, fits: Callable[[Schedule], bool]
) -> Steadiness:
    """The first variant of `found` that strikes harder and fails each time, in so many runs, else
    the best of them."""
    best = found
    for variant in _harder(found.schedule, space):
        if fits(variant):
            other = _steadiness(variant, red=red, runs=runs, better_than=best.red)
            if other.runs == runs and other.share > best.share:
                best = other
        if best.steady:
            break
    return best


def proven(
    found: Steadiness,
    *,
    red: Red,
    space: Space,
    fits: Callable[[Schedule], bool],
    runs: int = 10,
) -> Steadiness:
    """`found`, run again until it is green once, or was red so many times, those before counted;
    where it was green, the first harder variant that is red so many times, else the one that was
    for longest."""
    best = _as_often(found, red=red, runs=runs)
    for variant in _harder(found.schedule, space):
        if best.red == best.runs:
            break  # as often as there was time for
        if fits(variant):
            other = _until_green(variant, red=red, runs=runs)
            if other.red > best.red or other.red == other.runs > 0:
                best = other
    return best if best.red else found


def _until_green(schedule: Schedule, *, red: Red, runs: int, before: int = 0) -> Steadiness:
    """`before`: so many of them were red already."""
    reds = before
    while reds < runs and (answer := red(schedule)) is not None:
        if not answer:
            return Steadiness(schedule=schedule, red=reds, runs=reds + 1)
        reds += 1
    return Steadiness(schedule=schedule, red=reds, runs=reds)


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
    """Struck with a transaction open, where there are any; while there is more work; for longer;
    all of that; and a single fault, in each of these ways, on another instance, too."""

    def longer(table: Any, said: Table) -> Table:
        return _longer(table, said, space.session_s)

    opened = _each(schedule, _open) if space.has_transactions else schedule
    at_work = {**schedule.load, **busy(space.load)}
    ways = [
        opened,
        msgspec.structs.replace(opened, load=at_work),
        _each(schedule, longer),
        msgspec.structs.replace(_each(opened, longer), load=at_work),
    ]
    if len(schedule.faults) == 1:
        ways += [
            way.only([*way.faults, *_elsewhere(way.faults[0], space)]) for way in (schedule, *ways)
        ]
    seen = {schedule.key}
    for way in ways:
        if way.key not in seen:
            seen.add(way.key)
            yield way


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
    """What is lost on the wire is lost until the client gives up."""
    if isinstance(table, DropRequest | DropResponse):
        return {**said, "for": GIVES_UP, "at_most": _GIVES_UP_WITHIN}
    if "down" not in said:
        return said
    return {**said, "down": f"{round((table.down_s[1] + session_s) * 1000)}ms"}
