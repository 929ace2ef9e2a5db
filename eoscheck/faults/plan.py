"""When which fault hits whom: a pure function of the scenario and the seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.spec import OUTLAST, FaultTable, Lane, PlannedFault, role_of

PHASE_S = 0.5
"""A fault that waited for its target's commit strikes up to this much later: at any moment of a
commit interval, not always right after a commit, when little is under way."""

SETTLE_S = 1.0
"""At least that long after its heal a lane is not hit again: it would not work yet."""

_ALL: Lane = "all"


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Instances that may be hit: those of one app of the subject. Its `role` is empty where there
    is no other."""

    instances: range
    session_timeout_s: float
    role: str = ""


def plan(
    tables: Sequence[FaultTable],
    *,
    seed: int,
    targets: Sequence[Targets],
    duration_s: float,
    gap_s: float | None = None,
) -> list[PlannedFault]:
    """All faults of a run, in the order in which they are due: the same arguments give the same.

    They are spread over `duration_s`, those that follow another table from there on. No lane is hit
    while it is down, or has only just been healed: a fault that finds none free waits for one. With
    `gap_s` no two faults overlap, and so long lies between a heal and the next.
    Raises UsageError where so many faults do not fit, or a table contradicts the subject or another
    table.
    """
    hall = _Hall(targets=targets, gap_s=gap_s)
    for table in tables:
        for target in hall.targets_of(table):
            table.check(
                instances=hall.instances_of(table), session_timeout_s=target.session_timeout_s
            )
    depths = _depths(tables)
    hall.check_room(tables, duration_s=duration_s)
    drafts = sorted(
        (
            draft
            for index, table in enumerate(tables)
            for draft in _drafts(
                table,
                depth=depths[index],
                chance=random.Random(f"{seed}/faults/{index}"),
                seeds=random.Random(f"{seed}/within/{index}"),
                session_timeout_s=hall.session_s(table),
                duration_s=duration_s,
            )
        ),
        key=lambda draft: (draft.depth, draft.at_s),
    )
    # Where waiting for a free lane would push the last one out of the phase, all begin earlier.
    # From time 0 on they always fit: no lane idles then, and there is room for all.
    for squeeze in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0):
        planned = hall.placed(drafts, squeeze=squeeze, seed=seed)
        if all(each.at_s <= duration_s for each in planned if each.table.follows is None):
            break
    _check_overlaps(planned)
    return planned


def _depths(tables: Sequence[FaultTable]) -> list[int]:
    """How many tables each one follows, one after the other."""
    named: dict[str, FaultTable] = {}
    for table in tables:
        if table.name is not None:
            if table.name in named:
                raise UsageError(f"two tables of faults are called {table.name!r}: rename one")
            named[table.name] = table

    def depth(table: FaultTable) -> int:
        steps, seen = 0, list[str]()
        while table.follows is not None:
            if table.follows not in named:
                raise UsageError(
                    f"faults.{'after' if table.after else 'during'}: no table has the name "
                    f"{table.follows!r}{did_you_mean(table.follows, named)}"
                )
            if table.follows in seen:
                raise UsageError(f"these tables of faults wait for each other: {', '.join(seen)}")
            seen.append(table.follows)
            table = named[table.follows]
            steps += 1
        return steps

    return [depth(table) for table in tables]


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A fault that has no target yet."""

    table: FaultTable
    depth: int
    at_s: float
    down_s: float
    wipe: bool
    phase_s: float
    seed: int


def _drafts(
    table: FaultTable,
    *,
    depth: int,
    chance: random.Random,
    seeds: random.Random,
    session_timeout_s: float,
    duration_s: float,
) -> Iterator[_Draft]:
    number = table.number(duration_s)
    if table.every is not None:
        times = [
            turn * table.every_s + chance.uniform(-table.jitter_s, table.jitter_s)
            for turn in range(1, number + 1)
        ]
    elif table.at is not None or table.follows is not None:
        times = [table.at_s] * number
    else:
        # One in each slot of equal length: random, and yet spread; the last ones heal in time.
        slot = max(duration_s - _longest_s(table, session_timeout_s), 0.0) / number
        times = [(turn + chance.random()) * slot for turn in range(number)]
    outlasting = set(chance.sample(range(number), table.outlasting(number)))
    wiped = set(chance.sample(range(number), table.wipes))
    for turn, at_s in enumerate(times):
        if table.momentary:
            down_s = 0.0
        elif turn in outlasting:
            down_s = session_timeout_s * chance.uniform(*OUTLAST)
        else:
            down_s = chance.uniform(*table.down_s)
        yield _Draft(
            table=table,
            depth=depth,
            at_s=at_s,
            down_s=down_s,
            wipe=turn in wiped,
            phase_s=chance.uniform(0, PHASE_S),
            seed=seeds.getrandbits(32),
        )


@dataclass(frozen=True, kw_only=True)
class _Hall:
    """The lanes, and how much room there is in them."""

    targets: Sequence[Targets]
    gap_s: float | None

    @property
    def settle_s(self) -> float:
        return max(SETTLE_S, self.gap_s or 0.0)

    def targets_of(self, table: FaultTable) -> Sequence[Targets]:
        """Raises UsageError where there is no app of that role."""
        role = role_of(table)
        if role is None:
            return self.targets
        meant = [each for each in self.targets if each.role == role]
        if not meant:
            known = [each.role for each in self.targets if each.role]
            has = (
                f"it has {', '.join(known)}" if known else "it has one app, [subject]: say no role"
            )
            raise UsageError(
                f"faults.role: the scenario has no role {role!r}{did_you_mean(role, known)}; {has}"
            )
        return meant

    def instances_of(self, table: FaultTable) -> list[int]:
        return [number for each in self.targets_of(table) for number in each.instances]

    def session_s(self, table: FaultTable, instance: int | None = None) -> float:
        """The session time-out of that instance; without one, the longest of all that are meant."""
        return max(
            each.session_timeout_s
            for each in self.targets_of(table)
            if instance is None or instance in each.instances
        )

    def choices(self, table: FaultTable) -> list[tuple[frozenset[Lane], int | None]]:
        """Each with all the lanes that it keeps."""
        instances = self.instances_of(table)
        also = table.also(instances) | ({_ALL} if self.gap_s is not None else set())
        return [(frozenset({lane}) | also, number) for lane, number in table.choices(instances)]

    def placed(self, drafts: Sequence[_Draft], *, squeeze: float, seed: int) -> list[PlannedFault]:
        """Each in a lane that is free by then, or as soon as one is."""
        chance = random.Random(f"{seed}/targets")
        free_at: dict[tuple[str | None, Lane], float] = defaultdict(float)
        planned = []
        for number, draft in enumerate(drafts, start=1):
            table = draft.table
            choices = self.choices(table)
            free = [max(free_at[table.follows, lane] for lane in lanes) for lanes, _ in choices]
            at_s = max(draft.at_s * (squeeze if table.at is None else 1.0), min(free))
            lanes, instance = chance.choice(
                [choice for choice, since in zip(choices, free, strict=True) if since <= at_s]
            )
            for lane in lanes:
                free_at[table.follows, lane] = at_s + draft.down_s + self.settle_s
            fault = PlannedFault(
                fault_id=f"{table.kind}-{number}",
                table=table,
                at_s=at_s,
                lanes=lanes,
                instance=instance,
                down_s=draft.down_s,
                outlasts_session=table.silences and draft.down_s > self.session_s(table, instance),
                wipe=draft.wipe,
                phase_s=draft.phase_s,
                seed=draft.seed,
            )
            planned.append((draft.depth, at_s, fault))
        return [fault for *_, fault in sorted(planned, key=lambda each: each[:2])]

    def check_room(self, tables: Sequence[FaultTable], *, duration_s: float) -> None:
        """By the longest that each fault may take, so that it does not depend on the seed."""
        own: dict[Lane, float] = defaultdict(float)
        anywhere: dict[frozenset[Lane], float] = defaultdict(float)
        for table in tables:
            number = table.number(duration_s)
            if table.wipes > number:
                raise UsageError(f"faults.wipe is {table.wipes}, of only {number} faults")
            if table.follows is not None:
                continue  # it begins when it begins
            need = self._need_s(table, number)
            choices = [lanes for lanes, _ in self.choices(table)]
            shared = frozenset.intersection(*choices)
            for lane in shared:
                own[lane] += need
            if len(choices) > 1:
                anywhere[frozenset().union(*choices) - shared] += need
        # Faults on any of some lanes may fall to one that others are meant for, and those of the
        # other lanes drive them there: then all must fit.
        crowded = [
            own[lane] + (need + sum(own[other] for other in lanes) - own[lane]) / len(lanes)
            for lanes, need in anywhere.items()
            for lane in lanes
        ]
        needed = max([*own.values(), *crowded], default=0.0)
        if needed > duration_s:
            instances = sum(len(each.instances) for each in self.targets)
            raise UsageError(
                f"the faults need {needed:.0f} s on {instances} instances, and timing.faults "
                f"is {duration_s:g} s: make it longer, the down times shorter, or the faults fewer"
            )

    def _need_s(self, table: FaultTable, number: int) -> float:
        long = table.outlasting(number)
        short_s = table.down_s[1] + self.settle_s
        long_s = max(short_s, self.session_s(table) * OUTLAST[1] + self.settle_s)
        return long * long_s + (number - long) * short_s


def _longest_s(table: FaultTable, session_timeout_s: float) -> float:
    """The longest that one of its faults keeps a lane busy."""
    down = table.down_s[1]
    if table.outlasting(1):
        down = max(down, session_timeout_s * OUTLAST[1])
    return down + SETTLE_S


def _check_overlaps(planned: Sequence[PlannedFault]) -> None:
    """A fault during another cannot wait for that one's lane: it would wait for its end."""
    lanes: Mapping[str, set[Lane]] = defaultdict(set)
    for fault in planned:
        if fault.table.name is not None:
            lanes[fault.table.name] |= fault.lanes
    for fault in planned:
        if fault.table.during is not None and fault.lanes & lanes[fault.table.during]:
            raise UsageError(
                f"faults.during = {fault.table.during!r}: both may hit "
                f"{', '.join(sorted(fault.lanes & lanes[fault.table.during]))}, and one lane takes "
                "one fault at a time: give them different targets (or no timing.gap)"
            )
