"""Work that faults have thrown away: outputs of transactions that were aborted, and second outputs
of an input that had one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from eoscheck.history.events import Event, Identity, OutputsObserved
from eoscheck.measure.figures import Recovery


def reprocessed(
    faults: Sequence[Recovery], events: Sequence[Event], aborted: Iterable[tuple[float, int]]
) -> list[int]:
    """Records for each of `faults`, which are in the order of time: what was thrown away from its
    injection to the next one's. `aborted`: when a transaction on the output was aborted, in the
    run's time, and how many records that took back."""
    times = [fault.t for fault in faults]
    counts = [0] * len(times)

    def add(t: float, records: int) -> None:
        number = bisect_right(times, t) - 1
        if number >= 0:
            counts[number] += records

    for t, records in aborted:
        add(t, records)
    seen: set[Identity] = set()
    outputs = sorted((e for e in events if isinstance(e, OutputsObserved)), key=lambda e: e.t)
    for event in outputs:
        add(event.t, sum(identity in seen for identity in event.identities))
        seen.update(event.identities)
    return counts
