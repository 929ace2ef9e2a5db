"""The headers of record batches as columns: what a raw view knows without reading a record."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Control(IntEnum):
    """What a batch is to its producer's transaction: data, or the marker that ends it."""

    DATA = -1
    ABORT = 0
    COMMIT = 1
    OTHER = 2  # a control record that ends no transaction (leader change, snapshot, ...)


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Batches of one partition in the order of the log: columns of equal length, one row a batch.

    `start` and `end` are byte positions in the data they were read from. `producer_id` is -1 where
    the producer was not even idempotent. `records` is the header's count (of a compacted batch:
    those that are left). `control` holds `Control` values. `codec` is 0 none, 1 gzip, 2 snappy,
    3 lz4, 4 zstd. `intact` is false where the CRC-32C does not match, or the batch is no format 2.
    Times are milliseconds of Unix time, -1 where there is none.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    base_offset: NDArray[np.int64]
    last_offset: NDArray[np.int64]
    records: NDArray[np.int32]
    producer_id: NDArray[np.int64]
    epoch: NDArray[np.int16]
    base_sequence: NDArray[np.int32]
    transactional: NDArray[np.bool_]
    control: NDArray[np.int8]
    codec: NDArray[np.int8]
    first_timestamp: NDArray[np.int64]
    max_timestamp: NDArray[np.int64]
    coordinator_epoch: NDArray[np.int32]
    """Of a marker: the epoch of the transaction coordinator that wrote it; -1 for data."""
    intact: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.base_offset)

    def __getitem__(self, chosen: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Batches:
        """The batches of a slice, a mask or a list of rows."""
        return Batches(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})
