"""Which transactions a fault left open: told from outside, by looking before it and after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from eoscheck.cluster.transactions import OpenTransaction


Mark: TypeAlias = tuple[str, int, int]
"""Transactional id, producer id, start: one transaction among all that this id ever had."""


def mark(transaction: OpenTransaction) -> Mark:
    return (transaction.transactional_id, transaction.producer_id, transaction.started_ms)


class OrphanWatch:
    """`before`: what was open when the fault struck; `others`: how many instances it spared.

    A survivor ends its transaction and begins another one; a victim does neither. So each id that
    is seen with a new start, or whose transaction is still open at the first look and has ended at
    a later one, is a survivor's (what ended before the first look may have been the victim's last
    act). Once as many ids as there are survivors are known to be theirs, what is still open is the
    victim's. One transactional producer an instance is assumed: with more of them, some of a
    survivor's may be counted until they end.
    """

    def __init__(self, before: Iterable[OpenTransaction], *, others: int) -> None:
        self._before = {mark(transaction) for transaction in before}
        self._ids = {transactional_id for transactional_id, _, _ in self._before}
        self._others = others
        self._survivors: set[str] = set()
        self._lingering: set[Mark] = set()
        self._looks = 0

    def look(self, ongoing: Collection[OpenTransaction]) -> None:
        """One more look at what is open, while the victim is still down."""
        now = {mark(transaction) for transaction in ongoing}
        ended_since = self._lingering - now
        self._survivors |= {name for name, _, _ in ended_since}
        self._survivors |= {name for name, _, _ in now - self._before} & self._ids
        self._lingering = now & self._before
        self._looks += 1

    @property
    def certain(self) -> bool:
        return self._looks > 0 and (not self._lingering or len(self._survivors) >= self._others)

    @property
    def left_open(self) -> set[Mark]:
        """What the fault left open, as far as that is certain."""
        return set(self._lingering) if self.certain else set()

    def count(self) -> int:
        """Their number; where it is not certain, the least it can be."""
        if self.certain:
            return len(self._lingering)
        return max(0, len(self._lingering) - self._others)

    def evidence(self) -> dict[str, Any]:
        if self._looks == 0:
            how = "not looked at: it was down for too short a time"
        elif not self._lingering:
            how = "all that were open have ended"
        elif self.certain:
            how = f"still open when those of the {self._others} other instances up had ended"
        else:
            how = (
                f"at least: {len(self._lingering)} were still open at the heal, at most "
                f"{self._others} of them those of the other instances up"
            )
        return {
            "open_before": sorted(name for name, _, _ in self._before),
            "open_after": sorted(name for name, _, _ in self._lingering),
            "open_transactions_by": how,
        }
