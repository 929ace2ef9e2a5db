"""When which fault hits which instance: a pure function of the scenario and the seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError

Kind = Literal["kill", "terminate", "pause", "restart"]

OUTLAST = (1.2, 1.5)
"""How long a fault that outlasts the session time-out takes, as multiples of it."""

PHASE_S = 0.5
"""A fault that waited for its target's commit strikes up to this much later: at any moment of a
commit interval, not always right after a commit, when little is under way."""

SETTLE_S = 1.0
"""At least that long after its heal an instance is not hit again: it would not work yet."""


class FaultSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[faults]]` table.

    `kind`: `kill` (SIGKILL) and `terminate` (SIGTERM) are started again after `down`, `pause`
    (SIGSTOP) is continued after it, `restart` is a clean stop and an immediate start.
    Either `count` faults spread over the phase, or one `every` period, give or take `jitter`.
    `down`: one duration, or a range to draw from. `outlast_session`: the share of the faults that
    take longer than the subject's session time-out, whatever `down` says. `wipe`: the number of
    them that lose their state directory. `working`: fire only once the target is seen to work,
    as its group's commits show (a kill of an idle process proves little). `open_transaction`:
    fire while a transaction is open. `alone`: it strikes while all others run, and none of them is
    struck until it is healed, so that one of them can take over.
    `target`: an instance number, or `random`.
    """

    kind: Kind
    count: int | None = None
    every: str | None = None
    jitter: str = "0s"
    down: str | tuple[str, str] = "500ms"
    outlast_session: float = 0.0
    wipe: int = 0
    working: bool = False
    open_transaction: bool = False
    alone: bool = False
    target: int | Literal["random"] = "random"

    def __post_init__(self) -> None:
        if self.count is not None and self.every is not None:
            raise UsageError("faults.count and faults.every exclude each other: give one of them")
        if self.count is not None and self.count < 1:
            raise UsageError(f"faults.count must be at least 1, not {self.count}")
        if self.every is not None and self.every_s == 0:
            raise UsageError("faults.every must be above 0")
        if self.every is None and self.jitter_s:
            raise UsageError("faults.jitter needs faults.every: faults by count are random already")
        if self.every is not None and self.jitter_s * 2 >= self.every_s:
            raise UsageError("faults.jitter must be less than half of faults.every")
        if not 0 <= self.outlast_session <= 1:
            raise UsageError(f"faults.outlast_session is a share of 1, not {self.outlast_session}")
        low, high = self.down_s
        if low > high:
            raise UsageError(f"faults.down is [least, most], not {list(self.down)}")
        if self.wipe < 0:
            raise UsageError(f"faults.wipe must be 0 or more, not {self.wipe}")
        if self.wipe and self.kind == "pause":
            raise UsageError("faults.wipe needs a process that is down: not with kind = 'pause'")
        if self.kind == "restart" and self.outlast_session:
            raise UsageError("faults.outlast_session: a restart is up again at once, use terminate")

    @property
    def every_s(self) -> float:
        return parse_duration(self.every or "0s", what="faults.every")

    @property
    def jitter_s(self) -> float:
        return parse_duration(self.jitter, what="faults.jitter")

    @property
    def down_s(self) -> tuple[float, float]:
        low, high = (self.down, self.down) if isinstance(self.down, str) else self.down
        return (
            parse_duration(low, what="faults.down"),
            parse_duration(high, what="faults.down"),
        )


class PlannedFault(msgspec.Struct, frozen=True, kw_only=True):
    """`at_s`: seconds since the phase began; `down_s`: from the fault to its heal; `phase_s`:
    from the commit that it waits for, where it does, to the fault."""

    fault_id: str
    kind: Kind
    at_s: float
    instance: int
    down_s: float
    outlasts_session: bool
    wipe: bool
    working: bool
    phase_s: float
    open_transaction: bool
    alone: bool


def plan(
    specs: Sequence[FaultSpec],
    *,
    seed: int,
    instances: int,
    session_timeout_s: float,
    duration_s: float,
) -> list[PlannedFault]:
    """All faults of a run, in the order of their time: the same arguments give the same plan.

    They are spread over `duration_s`. No instance is hit while it is down, or has only just been
    started: a fault that finds none free waits for one.
    Raises UsageError where so many faults do not fit, or a table contradicts the subject.
    """
    for spec in specs:
        _check(spec, instances=instances, session_timeout_s=session_timeout_s)
    _check_room(
        specs, instances=instances, session_timeout_s=session_timeout_s, duration_s=duration_s
    )
    drafts = sorted(
        (
            draft
            for index, spec in enumerate(specs)
            for draft in _drafts(
                spec,
                chance=random.Random(f"{seed}/faults/{index}"),
                session_timeout_s=session_timeout_s,
                duration_s=duration_s,
            )
        ),
        key=lambda draft: draft.at_s,
    )
    # Where waiting for a free instance would push the last one out of the phase, all begin earlier.
    # From time 0 on they always fit: no instance idles then, and there is room for all.
    for squeeze in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0):
        planned = _placed(drafts, squeeze=squeeze, instances=instances, seed=seed)
        if all(fault.at_s <= duration_s for fault in planned):
            break
    return planned


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A fault that has no target yet."""

    spec: FaultSpec
    at_s: float
    down_s: float
    outlasts_session: bool
    wipe: bool
    phase_s: float


def _drafts(
    spec: FaultSpec, *, chance: random.Random, session_timeout_s: float, duration_s: float
) -> Iterator[_Draft]:
    number = _number(spec, duration_s)
    long = _longest_s(spec, session_timeout_s)
    if spec.every is not None:
        times = [
            turn * spec.every_s + chance.uniform(-spec.jitter_s, spec.jitter_s)
            for turn in range(1, number + 1)
        ]
    else:
        # One in each slot of equal length: random, and yet spread; the last ones heal in time.
        slot = max(duration_s - long, 0.0) / number
        times = [(turn + chance.random()) * slot for turn in range(number)]
    outlasting = set(chance.sample(range(number), _outlasting(spec, number)))
    wiped = set(chance.sample(range(number), spec.wipe))
    for turn, at_s in enumerate(times):
        if spec.kind == "restart":
            down_s = 0.0
        elif turn in outlasting:
            down_s = session_timeout_s * chance.uniform(*OUTLAST)
        else:
            down_s = chance.uniform(*spec.down_s)
        yield _Draft(
            spec=spec,
            at_s=at_s,
            down_s=down_s,
            outlasts_session=down_s > session_timeout_s,
            wipe=turn in wiped,
            phase_s=chance.uniform(0, PHASE_S),
        )


def _placed(
    drafts: Sequence[_Draft], *, squeeze: float, instances: int, seed: int
) -> list[PlannedFault]:
    """Each on an instance that is up by then, or as soon as one is."""
    chance = random.Random(f"{seed}/targets")
    free_at = [0.0] * instances
    planned = []
    for number, draft in enumerate(drafts, start=1):
        target = draft.spec.target
        eligible = range(instances) if target == "random" else [target]
        at_s = max(draft.at_s * squeeze, min(free_at[instance] for instance in eligible))
        instance = chance.choice([each for each in eligible if free_at[each] <= at_s])
        free_at[instance] = at_s + draft.down_s + SETTLE_S
        planned.append(
            PlannedFault(
                fault_id=f"{draft.spec.kind}-{number}",
                kind=draft.spec.kind,
                at_s=at_s,
                instance=instance,
                down_s=draft.down_s,
                outlasts_session=draft.outlasts_session,
                wipe=draft.wipe,
                working=draft.spec.working,
                phase_s=draft.phase_s,
                open_transaction=draft.spec.open_transaction,
                alone=draft.spec.alone,
            )
        )
    return sorted(planned, key=lambda fault: fault.at_s)


def _number(spec: FaultSpec, duration_s: float) -> int:
    if spec.every is None:
        return spec.count or 1
    return math.ceil(duration_s / spec.every_s) - 1  # none at the very end of the phase


def _outlasting(spec: FaultSpec, number: int) -> int:
    """A share of 0.34 of 10 is 4. Rounded first: 0.07 * 100 is a little more than 7."""
    return math.ceil(round(spec.outlast_session * number, 6))


def _longest_s(spec: FaultSpec, session_timeout_s: float) -> float:
    """The longest that one of its faults keeps an instance busy."""
    down = 0.0 if spec.kind == "restart" else spec.down_s[1]
    if spec.outlast_session:
        down = max(down, session_timeout_s * OUTLAST[1])
    return down + SETTLE_S


def _check(spec: FaultSpec, *, instances: int, session_timeout_s: float) -> None:
    if spec.target != "random" and not 0 <= spec.target < instances:
        raise UsageError(
            f"faults.target {spec.target} is no instance: there are {instances}, numbered from 0"
        )
    if spec.outlast_session and spec.down_s[1] >= session_timeout_s:
        raise UsageError(
            f"faults.down goes up to {spec.down_s[1]:g} s: with faults.outlast_session it must "
            f"stay below the session time-out of {session_timeout_s:g} s, or more would outlast it"
        )


def _check_room(
    specs: Sequence[FaultSpec], *, instances: int, session_timeout_s: float, duration_s: float
) -> None:
    """By the longest that each fault may take, so that it does not depend on the seed."""
    busy = [0.0] * instances
    anywhere = 0.0
    for spec in specs:
        number = _number(spec, duration_s)
        if spec.wipe > number:
            raise UsageError(f"faults.wipe is {spec.wipe}, of only {number} faults")
        long = _outlasting(spec, number)
        need = long * _longest_s(spec, session_timeout_s) + (number - long) * (
            spec.down_s[1] + SETTLE_S
        )
        if spec.target == "random":
            anywhere += need
        else:
            busy[spec.target] += need
    # Faults on any instance may fall to one that others are meant for: then both must fit there.
    needed = max(
        own + (anywhere + sum(busy) - own) / instances if anywhere else own for own in busy
    )
    if needed > duration_s:
        raise UsageError(
            f"the faults need {needed:.0f} s on {instances} instances, and timing.faults is "
            f"{duration_s:g} s: make it longer, the down times shorter, or the faults fewer"
        )
