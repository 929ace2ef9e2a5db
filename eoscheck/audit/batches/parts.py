"""The parts of a reading, handed to what follows their batches."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.batches.formats import are_old_format
from eoscheck.cluster.raw_log import FetchedPart
from eoscheck.logformat import Batches, read_batches


class View(Protocol):
    """Follows the batches of a topic (`view.RawView`)."""

    def take(
        self,
        partition: int,
        batches: Batches,
        aborted: list[tuple[int, int]],
        *,
        high_watermark: int,
        last_stable_offset: int,
        log_start: int,
        old_format: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.bool_]:
        """Which of the batches a `read_committed` client is given."""
        ...

    def withheld(self, partition: int) -> NDArray[np.bool_]:
        """Of those taken last, which it is not given because they were aborted."""
        ...


def taken(part: FetchedPart, view: View) -> tuple[Batches, NDArray[np.bool_]]:
    """The batches of a part, and which of them a client is given. Not of one that is out of range:
    it holds none."""
    batches = read_batches(part.records)
    given = view.take(
        part.partition,
        batches,
        part.aborted,
        high_watermark=part.high_watermark,
        last_stable_offset=part.last_stable_offset,
        log_start=part.log_start_offset,
        old_format=None if batches.intact.all() else are_old_format(part.records, batches),
    )
    return batches, given
