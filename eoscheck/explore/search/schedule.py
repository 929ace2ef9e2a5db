"""A schedule: the faults of one short run, and its load. Plain data, as scenarios say it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from eoscheck.errors import UsageError
from eoscheck.faults import FaultSpec, Targets, plan
from eoscheck.faults.plan import SETTLE_S
from eoscheck.faults.spec import FaultTable, Lane

Table: TypeAlias = dict[str, Any]
"""A `[[faults]]` table as a scenario file has it. Its `at`, `target` and `down` are fixed, so that
a fault stays what it is when others are left out."""

_ROOM_S = 1.0
_PLAIN_KEYS = ("kind", "at", "down", "target", "step", "within", "at_most")


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`load` is what differs from the scenario's own `[load]`; `seed` is the run's."""

    faults: tuple[Table, ...] = ()
    load: dict[str, float | int] = {}
    seed: int = 1

    @property
    def key(self) -> bytes:
        """The same for the same schedule; `decode` reads it back."""
        return msgspec.json.encode(self, order="sorted")

    @property
    def kinds(self) -> list[str]:
        return [str(table["kind"]) for table in self.faults]

    def only(self, faults: Sequence[Table]) -> Schedule:
        return msgspec.structs.replace(self, faults=tuple(faults))


def decode(key: bytes) -> Schedule | None:
    """None where it is none of this version."""
    try:
        return msgspec.json.decode(key, type=Schedule)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def tables_of(schedule: Schedule) -> list[FaultTable]:
    """Raises UsageError where a table is not valid."""
    try:
        return list(msgspec.convert(list(schedule.faults), list[FaultSpec]))
    except msgspec.ValidationError as error:
        raise UsageError(f"a schedule's fault is not valid: {error}") from error


def length_s(schedule: Schedule, *, instances: int) -> int:
    """How long a faults phase it needs, in whole seconds: each fault in its time, and healed."""
    tables = tables_of(schedule)
    ends = [table.at_s + table.down_s[1] + _ROOM_S for table in tables]
    lanes: Counter[Lane] = Counter()
    for table in tables:
        first, *_ = table.choices(range(instances))
        for lane in {first[0], *table.also(range(instances))}:
            lanes[lane] += table.down_s[1] + SETTLE_S  # type: ignore[assignment] # seconds
    return math.ceil(max([_ROOM_S, *ends, *lanes.values()]))


def check_fits(schedule: Schedule, *, instances: int, session_timeout_s: float) -> None:
    """Raises UsageError where it cannot be planned."""
    plan(
        tables_of(schedule),
        seed=schedule.seed,
        targets=[Targets(instances=range(instances), session_timeout_s=session_timeout_s)],
        duration_s=length_s(schedule, instances=instances),
    )


def in_words(schedule: Schedule) -> list[str]:
    """A line for each fault, in the order of their times, and one for the load."""
    inorder = sorted(zip(tables_of(schedule), schedule.faults, strict=True), key=_when)
    lines = [_fault(table, said) for table, said in inorder] or ["no fault at all"]
    if schedule.load:
        lines.append("load: " + _pairs(schedule.load))
    return lines


def _when(pair: tuple[FaultTable, Table]) -> float:
    return pair[0].at_s


def _fault(table: FaultTable, said: Table) -> str:
    target = said.get("target")
    whom = "" if target is None else f" of {f'instance {target}' if target != 'all' else 'all'}"
    if "step" in said:
        whom = f" at {said['step']}{whom}"
    longs = f" for {table.down_s[0]:g} s" if "down" in said else ""
    more = {key: value for key, value in said.items() if key not in _PLAIN_KEYS}
    return f"at {table.at_s:g} s: {table.kind}{whom}{longs}" + (f", {_pairs(more)}" if more else "")


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        key if value is True else f"{key} {value}" for key, value in sorted(values.items())
    )
