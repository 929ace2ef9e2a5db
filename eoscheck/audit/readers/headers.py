"""Reads the headers of a topic's batches only, for records that another reader gave."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from eoscheck.audit.batches.parts import View, taken
from eoscheck.audit.readers.scan import Span
from eoscheck.cluster.raw_log import RawLog


def read_headers(
    topic: str,
    spans: Mapping[int, Span],
    *,
    log: RawLog,
    view: View,
    patience_s: float = 30.0,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Hands every batch of `spans` to `view`. Where a partition gives nothing more for `patience_s`
    it is left there: what the view has not seen it does not judge.

    Raises InfrastructureError where the cluster refuses, or stays silent for a minute.
    """
    total = sum(max(0, span.cut - span.start) for span in spans.values())
    ranges = {number: (span.start, span.cut) for number, span in spans.items()}
    done = dict.fromkeys(spans, 0)
    idle_since: dict[int, float] = {}
    with log.read(topic, ranges, committed=True) as reading:
        for part in reading:
            number = part.partition
            if part.next_offset > part.fetch_offset:
                idle_since.pop(number, None)
                done[number] = min(part.next_offset, spans[number].cut) - spans[number].start
            elif clock() - idle_since.setdefault(number, clock()) > patience_s:
                reading.drop(number)
            if not part.out_of_range:
                taken(part, view)
            if progress is not None:
                progress(sum(done.values()), total)
