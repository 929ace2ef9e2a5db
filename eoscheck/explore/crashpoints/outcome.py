"""What became of one cell."""

from __future__ import annotations

from dataclasses import dataclass

from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.wire import Firing


@dataclass(kw_only=True, eq=False)
class Outcome:
    """What became of one cell. Times by `time.monotonic`. `firing` is None where the step did not
    come, and `reason` says so; `unsure`: it came, and cannot be judged; `stalled`: the subject did
    not work again. `over` once the victim was back at work."""

    cell: Cell
    instance: int
    nth: int
    began: float
    firing: Firing | None = None
    reason: str = ""
    unsure: str = ""
    stalled: str = ""
    rolled_back: bool = False
    took_over_s: float | None = None
    back_s: float | None = None
    ended: float = 0.0
    over: bool = False
