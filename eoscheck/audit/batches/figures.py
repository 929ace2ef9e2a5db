"""What the transactions of a topic were like: how many, how large, how long, how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap64

from eoscheck.audit.batches.spread import Spread
from eoscheck.audit.rows.records import Place

_LONGEST = 100


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """How transactions ended that had an epoch of their own (protocol v2), by partition: bitmaps of
    producer id × 65536 + epoch. `aborted_at` are the first offsets of some of the aborted ones."""

    topic: str
    committed: Mapping[int, BitMap64]
    aborted: Mapping[int, BitMap64]
    aborted_at: Mapping[tuple[int, int], int]


@dataclass(frozen=True, kw_only=True)
class LongTransaction:
    """A committed transaction; `duration_ms` by its first record's time-stamp, or the marker before
    it, whichever is later: applications put times of events into their records."""

    place: Place
    producer_id: int
    duration_ms: int


class Figures:
    """Fed with rows of `raw_markers.ENDED`. `places` bounds the aborted transactions of which the
    place is kept."""

    def __init__(self, topic: str, *, places: int) -> None:
        self.topic = topic
        self.counts = {"committed": 0, "aborted": 0, "committed_records": 0, "aborted_records": 0}
        self.sizes, self.durations = Spread(), Spread()
        self.longest: list[LongTransaction] = []
        self._places = places
        self._committed: dict[int, BitMap64] = {}
        self._aborted: dict[int, BitMap64] = {}
        self._aborted_at: dict[tuple[int, int], int] = {}

    def outcomes(self) -> Outcomes:
        return Outcomes(
            topic=self.topic,
            committed=self._committed,
            aborted=self._aborted,
            aborted_at=self._aborted_at,
        )

    def add(self, partition: int, ended: NDArray[Any]) -> None:
        committed = ended["committed"]
        for name, chosen in (("committed", committed), ("aborted", ~committed)):
            self.counts[name] += int(chosen.sum())
            self.counts[f"{name}_records"] += int(ended["records"][chosen].sum())
        self.sizes.add(ended["records"])
        timed = ended[(ended["begin_ms"] >= 0) & (ended["end_ms"] >= 0)]
        self.durations.add(np.maximum(timed["end_ms"] - timed["begin_ms"], 0))
        self._note_longest(partition, timed[timed["committed"]])
        # Only a marker with a higher epoch tells that its transaction had its epoch for itself.
        own = ended[ended["marker_epoch"] > ended["epoch"]]
        keys = ((own["producer_id"] << 16) | own["epoch"]).astype(np.uint64)
        if len(keys):
            self._committed.setdefault(partition, BitMap64()).update(keys[own["committed"]])
            self._aborted.setdefault(partition, BitMap64()).update(keys[~own["committed"]])
            for row in own[~own["committed"]][: max(0, self._places - len(self._aborted_at))]:
                key = (int(row["producer_id"]) << 16) | int(row["epoch"])
                self._aborted_at[partition, key] = int(row["first_offset"])

    def _note_longest(self, partition: int, committed: NDArray[Any]) -> None:
        begin = np.maximum(committed["begin_ms"], committed["after_ms"])
        durations = np.maximum(committed["end_ms"] - begin, 0)
        least = self.longest[-1].duration_ms if len(self.longest) >= _LONGEST else -1
        rows = np.flatnonzero(durations > least)
        if not len(rows):
            return
        rows = rows[np.argsort(-durations[rows], kind="stable")][:_LONGEST]
        self.longest += [
            LongTransaction(
                place=Place(self.topic, partition, int(committed["first_offset"][row])),
                producer_id=int(committed["producer_id"][row]),
                duration_ms=int(durations[row]),
            )
            for row in rows
        ]
        self.longest.sort(key=lambda each: -each.duration_ms)
        del self.longest[_LONGEST:]
