"""The client view: which batches a `read_committed` consumer hands on, by the broker's own list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eoscheck.logformat.batches import Batches, Control


def given_to_client(
    batches: Batches, aborted: Sequence[tuple[int, int]] | NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The data batches of one answer to a Fetch that a client does not skip.

    `aborted` are the answer's (producer id, first offset). After Java's `CompletedFetch`: an entry
    takes effect with the first batch that ends at its offset or later, and an abort marker takes
    its producer out again; nothing is carried over from one answer to the next. Offsets seen before
    are the caller's matter.
    """
    given: NDArray[np.bool_] = batches.control == Control.DATA
    if not len(aborted) or not len(batches):
        return given
    listed = np.asarray(aborted, dtype=np.int64).reshape(-1, 2)
    ends = np.maximum.accumulate(batches.last_offset)
    rows = np.flatnonzero(
        np.isin(batches.producer_id, listed[:, 0])
        & (batches.transactional | (batches.control == Control.ABORT))
    )
    producer = np.concatenate([listed[:, 0], batches.producer_id[rows]])
    at = np.concatenate([np.searchsorted(ends, listed[:, 1]), rows])
    entry = np.arange(len(at)) < len(listed)
    marker = np.zeros(len(at), dtype=np.bool_)
    marker[len(listed) :] = batches.control[rows] == Control.ABORT
    # By producer, then by place; an entry comes before the batch that it takes effect with.
    order = np.lexsort((~entry, at, producer))
    producer, entry, marker = producer[order], entry[order], marker[order]
    changes = np.where(entry | marker, np.arange(len(order)), 0)
    last = np.maximum.accumulate(changes)
    skipped = entry[last] & (producer[last] == producer) & ~entry & ~marker
    given[at[order][skipped]] = False
    return given
