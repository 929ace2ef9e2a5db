"""Past the cuts: the markers of transactions that began below them."""

from __future__ import annotations

from collections.abc import Mapping

from eoscheck.audit.batches.parts import taken
from eoscheck.audit.batches.view import RawView
from eoscheck.cluster.raw_log import RawLog


def follow_to_markers(cuts: Mapping[int, int], *, log: RawLog, view: RawView) -> None:
    """After a read up to `cuts` (by partition): hands `view` the batches that come after, headers
    only, until every transaction that began below its cut has ended.

    Bounded: where a partition was read to its cut its last stable offset was at or above it, so
    those markers are below that. What an open transaction held back is left alone.
    Raises InfrastructureError as `RawLog` does.
    """
    spans = {
        number: (view.position(number), view.last_stable_offset(number))
        for number, cut in cuts.items()
        if view.position(number) >= cut and view.waits_for_marker(number, below=cut)
    }
    if not spans:
        return
    with log.read(view.topic, spans, committed=True) as reading:
        for part in reading:
            if not part.out_of_range:
                taken(part, view)
            if not view.waits_for_marker(part.partition, below=cuts[part.partition]):
                reading.drop(part.partition)
