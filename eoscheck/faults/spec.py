"""What all fault tables of a scenario have in common; each family adds its own keys.

A table's struct is chosen by its `kind`, which is its tag (`eoscheck.faults.kinds`).
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError

Need = Literal["brokers", "network", "broker links", "spare instance", "wire"]
"""What a fault is done with, beside the subject: brokers that we started, proxies before them,
proxies between them, an instance more than the scenario has, proxies that read the protocol."""

Lane = str
"""Faults of one lane come one after the other. Each instance is a lane, and so are the brokers."""

OUTLAST = (1.2, 1.5)
"""How long a fault that outlasts the session time-out takes, as multiples of it."""

_CONDITION = re.compile(r"(outputs|acknowledged|lag) *>= *(\d+)")
_STATES = ("open-transaction", "restoring", "rebalancing")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What `when` asks for: a state of the subject, or a count that is reached (`at_least`)."""

    what: str
    at_least: int = 0


class FaultTable(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """When, how often and how long; every duration as in `"1m30s"`.

    One of: `at` (one fault, at that moment of the phase), `every` period, give or take `jitter`, or
    `count` faults spread over the phase (1 where nothing is said). `down`: how long until the heal,
    one duration, or a range to draw from. `when`: strike only once that holds (`"restoring"`,
    `"rebalancing"`, `"open-transaction"`, `"outputs >= 10000"`, `"acknowledged >= 500"`,
    `"lag >= 200"`), waited for at most `within`. `after` and `during` name another table: times
    count from when all of its faults are healed, or from when the first has struck.
    """

    name: str | None = None
    at: str | None = None
    count: int | None = None
    every: str | None = None
    jitter: str = "0s"
    down: str | tuple[str, str] = "500ms"
    when: str | None = None
    within: str = "15s"
    after: str | None = None
    during: str | None = None

    family: ClassVar[str] = ""
    needs: ClassVar[frozenset[Need]] = frozenset()
    momentary: ClassVar[bool] = False
    """Healed at once: there is no `down`."""
    silences: ClassVar[bool] = True
    """Its target is not heard of meanwhile: it may outlast the session."""

    def __post_init__(self) -> None:
        given = [key for key in ("at", "count", "every") if getattr(self, key) is not None]
        if len(given) > 1:
            raise UsageError(f"faults.{' and faults.'.join(given)} exclude each other: give one")
        if self.count is not None and self.count < 1:
            raise UsageError(f"faults.count must be at least 1, not {self.count}")
        if self.every is not None and self.every_s == 0:
            raise UsageError("faults.every must be above 0")
        if self.every is None and self.jitter_s:
            raise UsageError("faults.jitter needs faults.every: faults by count are random already")
        if self.every is not None and self.jitter_s * 2 >= self.every_s:
            raise UsageError("faults.jitter must be less than half of faults.every")
        low, high = self.down_s
        if low > high:
            raise UsageError(f"faults.down is [least, most], not {list(self.down)}")
        if self.after is not None and self.during is not None:
            raise UsageError("faults.after and faults.during exclude each other: give one")
        if self.name is not None and self.name in (self.after, self.during):
            raise UsageError(f"faults.name {self.name!r} cannot follow itself")
        _ = self.condition, self.within_s, self.at_s

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def follows(self) -> str | None:
        """The name of the table that its times count from; None: they count from the phase."""
        return self.after or self.during

    @property
    def at_s(self) -> float:
        return parse_duration(self.at or "0s", what="faults.at")

    @property
    def every_s(self) -> float:
        return parse_duration(self.every or "0s", what="faults.every")

    @property
    def jitter_s(self) -> float:
        return parse_duration(self.jitter, what="faults.jitter")

    @property
    def within_s(self) -> float:
        return parse_duration(self.within, what="faults.within")

    @property
    def down_s(self) -> tuple[float, float]:
        if self.momentary:
            return 0.0, 0.0
        low, high = (self.down, self.down) if isinstance(self.down, str) else self.down
        return (
            parse_duration(low, what="faults.down"),
            parse_duration(high, what="faults.down"),
        )

    @property
    def condition(self) -> Condition | None:
        if self.when is None:
            return None
        if self.when in _STATES:
            return Condition(what=self.when)
        match = _CONDITION.fullmatch(self.when.strip())
        if match is None:
            raise UsageError(
                f"faults.when is {self.when!r}: use one of {', '.join(_STATES)}, "
                "or a count such as 'outputs >= 10000' (also of acknowledged, lag)"
            )
        return Condition(what=match[1], at_least=int(match[2]))

    def number(self, duration_s: float) -> int:
        """How many faults that is in a phase of this length."""
        if self.every is None:
            return self.count or 1
        return math.ceil(duration_s / self.every_s) - 1  # none at the very end of the phase

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        """The lanes that one of its faults may take, each with the instance that it is; of these
        `instances`, where it hits any."""
        raise NotImplementedError

    def also(self, instances: Sequence[int]) -> frozenset[Lane]:
        """Lanes that each of its faults keeps free of others, beside its own."""
        return frozenset()

    def check(self, *, instances: Sequence[int], session_timeout_s: float) -> None:
        """Raises UsageError where it contradicts the subject."""

    def outlasting(self, number: int) -> int:
        """How many of its faults outlast the session, whatever `down` says."""
        return 0

    @property
    def wipes(self) -> int:
        """How many of its faults take the state directory with them."""
        return 0


class SubjectFault(FaultTable, frozen=True, kw_only=True):
    """Something that happens to instances of the subject. `role`: only to those of that app, where
    the subject is several."""

    role: str | None = None


def role_of(table: FaultTable) -> str | None:
    """Which app of the subject it is meant for; None: for any, or it is no fault of the subject."""
    return table.role if isinstance(table, SubjectFault) else None


def of_role(what: str, table: FaultTable) -> str:
    """`instances of settle`, or only `instances`."""
    role = role_of(table)
    return what if role is None else f"{what} of {role}"


def check_instance(target: int, instances: Sequence[int]) -> None:
    """Raises UsageError where it is none of the instances that may be hit."""
    if target not in instances:
        known = f"from {instances[0]} to {instances[-1]}"
        raise UsageError(
            f"faults.target {target} is no instance that it may hit: they are numbered {known}"
        )


class InstanceFault(SubjectFault, frozen=True, kw_only=True):
    """A fault of one instance: `target` is its number, or `random`.

    `outlast_session`: the share of the faults that take longer than the subject's session time-out,
    whatever `down` says. `working`: strike only once the target is seen to work, as its group's
    commits show (a kill of an idle process proves little). `open_transaction`: strike while a
    transaction is open, and count what is left of it. `alone`: it strikes while all others run, and
    none of them is struck until it is healed, so that one of them can take over.
    """

    target: int | Literal["random"] = "random"
    outlast_session: float = 0.0
    working: bool = False
    open_transaction: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.outlast_session <= 1:
            raise UsageError(f"faults.outlast_session is a share of 1, not {self.outlast_session}")
        if self.momentary and self.outlast_session:
            raise UsageError(
                f"faults.outlast_session: a {self.kind} is up again at once, use another kind"
            )

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        chosen = instances if self.target == "random" else [self.target]
        return [(f"instance {number}", number) for number in chosen]

    def check(self, *, instances: Sequence[int], session_timeout_s: float) -> None:
        if self.target != "random":
            check_instance(self.target, instances)
        if self.outlast_session and self.down_s[1] >= session_timeout_s:
            raise UsageError(
                f"faults.down goes up to {self.down_s[1]:g} s: with faults.outlast_session it must "
                f"stay below the session time-out of {session_timeout_s:g} s, "
                "or more would outlast it"
            )

    def outlasting(self, number: int) -> int:
        """A share of 0.34 of 10 is 4. Rounded first: 0.07 * 100 is a little more than 7."""
        return math.ceil(round(self.outlast_session * number, 6))


class PlannedFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a table. `at_s`: seconds since the phase began, or since what the table follows;
    `down_s`: from the fault to its heal; `phase_s`: from the commit that it waits for, where it
    does, to the fault. `lanes` are those that it keeps, its own and others. `seed` is for whatever
    else it leaves to chance."""

    fault_id: str
    table: FaultTable
    at_s: float
    lanes: frozenset[Lane]
    instance: int | None = None
    down_s: float = 0.0
    outlasts_session: bool = False
    wipe: bool = False
    phase_s: float = 0.0
    seed: int = 0

    @property
    def kind(self) -> str:
        return self.table.kind

    @property
    def working(self) -> bool:
        return isinstance(self.table, InstanceFault) and self.table.working

    @property
    def open_transaction(self) -> bool:
        return isinstance(self.table, InstanceFault) and self.table.open_transaction

    @property
    def alone(self) -> bool:
        return isinstance(self.table, InstanceFault) and self.table.alone

    def chance(self) -> random.Random:
        """The same for the same plan."""
        return random.Random(self.seed)
