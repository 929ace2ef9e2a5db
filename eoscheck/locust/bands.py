"""Which fault a record was sent under."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eoscheck.history import FaultHealed, FaultInjected, FaultMissed

Band = tuple[str, str, float, float | None]
"""Fault id, kind, from and until (seconds of the run); None while it lasts."""


@dataclass
class Bands:
    """`rows` may go to other processes as they are."""

    rows: dict[str, Band] = field(default_factory=dict)

    def struck(self, event: FaultInjected | FaultHealed | FaultMissed) -> None:
        if isinstance(event, FaultInjected):
            self.rows[event.fault_id] = (event.fault_id, event.kind, event.t, None)
        elif event.fault_id in self.rows:
            began = self.rows[event.fault_id][2]
            self.rows[event.fault_id] = (event.fault_id, event.kind, began, event.t)

    def split(self, times: NDArray[np.float64]) -> dict[str, NDArray[np.bool_]]:
        """Masks of `times` by what was going on then: the kinds of faults, or nothing ("")."""
        if not self.rows or not len(times):
            return {"": np.ones(len(times), dtype=np.bool_)}
        kinds = sorted({kind for _id, kind, _began, _ended in self.rows.values()})
        under = {kind: np.zeros(len(times), dtype=np.bool_) for kind in kinds}
        for _id, kind, began, ended in self.rows.values():
            until = np.inf if ended is None else ended
            under[kind] |= (times >= began) & (times <= until)
        code = np.zeros(len(times), dtype=np.int64)
        for bit, kind in enumerate(kinds):
            code |= under[kind].astype(np.int64) << bit
        return {
            " + ".join(kind for bit, kind in enumerate(kinds) if value >> bit & 1): code == value
            for value in np.unique(code).tolist()
        }


def label(name: str, faults: str) -> str:
    """A row of Locust's statistics."""
    return f"{name}, during {faults}" if faults else name
