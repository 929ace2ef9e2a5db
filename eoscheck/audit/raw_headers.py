"""Reads the batch headers of a topic for its raw view, where somebody else reads the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from eoscheck.audit.raw_formats import are_old_format
from eoscheck.audit.raw_view import RawView
from eoscheck.cluster.raw_log import FetchedPart, RawLog
from eoscheck.logformat import read_batches


def read_headers(
    topic: str,
    spans: Mapping[int, tuple[int, int]],
    *,
    log: RawLog,
    view: RawView,
    patience_s: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
) -> set[int]:
    """Hands `view` every batch from each partition's start to its cut, and past it to the markers
    of transactions that began below it. Returns the partitions that an open transaction held back
    for `patience_s` (`HANGING_TRANSACTION`, or unknown: see `check_held`).

    Raises InfrastructureError as `RawLog` does.
    """
    reader = _Reader(topic=topic, log=log, view=view, patience_s=patience_s, clock=clock)
    reader.read(spans)
    # The cut was reached, so every transaction that began below it has ended: below the last stable
    # offset of now.
    reader.read(
        {
            number: (reader.position[number], reader.stable[number])
            for number, (_start, cut) in spans.items()
            if number not in reader.held and view.waits_for_marker(number, below=cut)
        },
        until_ended=True,
    )
    return reader.held


class _Reader:
    def __init__(
        self,
        *,
        topic: str,
        log: RawLog,
        view: RawView,
        patience_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._topic, self._log, self._view = topic, log, view
        self._patience_s, self._clock = patience_s, clock
        self.held: set[int] = set()
        self.position: dict[int, int] = {}
        self.stable: dict[int, int] = {}

    def read(self, spans: Mapping[int, tuple[int, int]], *, until_ended: bool = False) -> None:
        for number, (start, _stop) in spans.items():
            self.position.setdefault(number, start)
            self.stable.setdefault(number, start)
        moved = dict.fromkeys(spans, self._clock())
        with self._log.read(self._topic, spans, committed=True) as reading:
            for part in reading:
                number, stop = part.partition, spans[part.partition][1]
                if self._take(part):
                    moved[number] = self._clock()
                elif self._clock() - moved[number] > self._patience_s:
                    self.held.add(number)
                    reading.drop(number)
                if until_ended and not self._view.waits_for_marker(number, below=stop):
                    reading.drop(number)

    def _take(self, part: FetchedPart) -> bool:
        """Whether it brought the reading on."""
        self.position[part.partition] = part.next_offset
        if part.out_of_range:
            return True
        self.stable[part.partition] = part.last_stable_offset
        batches = read_batches(part.records)
        self._view.take(
            part.partition,
            batches,
            part.aborted,
            high_watermark=part.high_watermark,
            last_stable_offset=part.last_stable_offset,
            log_start=part.log_start_offset,
            old_format=None if batches.intact.all() else are_old_format(part.records, batches),
        )
        return part.next_offset > part.fetch_offset
