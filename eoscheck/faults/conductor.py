"""Which of the planned faults are due: by the clock, by their lanes, and by what they follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from eoscheck.faults.spec import Lane, PlannedFault


class Conductor:
    """Is told when a fault struck and ended, and says what to start; all times by one clock.

    A fault whose lane is taken waits for it, and later ones of that lane wait behind it.
    """

    def __init__(
        self, plan: Sequence[PlannedFault], *, began: float, gap_s: float | None = None
    ) -> None:
        self.pending = list(plan)
        self._began = began
        self._gap_s = gap_s
        self._taken: Counter[Lane] = Counter()
        self._left = Counter(fault.table.name for fault in plan)
        self._struck_at: dict[str, float] = {}
        self._healed_at: dict[str, float] = {}
        self._last_end: float | None = None

    def due(self, now: float) -> Iterator[PlannedFault]:
        """Those that are to start; each takes its lanes until `ended`."""
        blocked = set(+self._taken)
        waiting = [(at, fault) for fault in self.pending if (at := self._due_at(fault)) is not None]
        for at, fault in sorted(waiting, key=lambda each: each[0]):
            if at > now:
                return
            if fault.lanes.isdisjoint(blocked):
                self.pending.remove(fault)
                self._taken.update(fault.lanes)
                yield fault
            blocked |= fault.lanes

    def struck(self, fault: PlannedFault, now: float) -> None:
        if fault.table.name is not None:
            self._struck_at.setdefault(fault.table.name, now)

    def ended(self, fault: PlannedFault, now: float) -> None:
        """It is healed, or was missed: what follows it goes on either way."""
        self._taken.subtract(fault.lanes)
        self._last_end = now
        self.struck(fault, now)
        name = fault.table.name
        if name is not None:
            self._left[name] -= 1
            if not self._left[name]:
                self._healed_at[name] = now

    def _due_at(self, fault: PlannedFault) -> float | None:
        """None while nobody can tell."""
        table = fault.table
        base: float | None = self._began
        if table.after is not None:
            base = self._healed_at.get(table.after)
        elif table.during is not None:
            base = self._struck_at.get(table.during)
        if base is None:
            return None
        at = base + fault.at_s
        if self._gap_s is not None and self._last_end is not None:
            at = max(at, self._last_end + self._gap_s)
        return at
