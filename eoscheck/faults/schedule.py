"""When which fault hits which instance: a pure function of the scenario and the seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError

Kind = Literal["kill", "terminate", "pause", "restart"]

OUTLAST = (1.2, 1.5)
"""How long a fault that outlasts the session time-out takes, as multiples of it."""

SETTLE_S = 1.0
"""At least that long after its heal an instance is not hit again: it would not work yet."""


class FaultSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[faults]]` table.

    `kind`: `kill` (SIGKILL) and `terminate` (SIGTERM) are started again after `down`, `pause`
    (SIGSTOP) is continued after it, `restart` is a clean stop and an immediate start.
    Either `count` faults spread over the phase, or one `every` period, give or take `jitter`.
    `down`: one duration, or a range to draw from. `outlast_session`: the share of the faults that
    take longer than the subject's session time-out, whatever `down` says. `wipe`: the number of
    them that lose their state directory. `open_transaction`: fire while a transaction is open.
    `target`: an instance number, or `random`.
    """

    kind: Kind
    count: int | None = None
    every: str | None = None
    jitter: str = "0s"
    down: str | tuple[str, str] = "500ms"
    outlast_session: float = 0.0
    wipe: int = 0
    open_transaction: bool = False
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
    """`at_s`: seconds since the faults phase began; `down_s`: from the fault to its heal."""

    fault_id: str
    kind: Kind
    at_s: float
    instance: int
    down_s: float
    outlasts_session: bool
    wipe: bool
    open_transaction: bool
