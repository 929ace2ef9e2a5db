"""Bugs in what an abort takes back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from reference_app.bugs.bug import Bug
from reference_app.bugs.reading_ahead import ReadsAhead
from reference_app.streams.errors import TransactionAborted
from reference_app.streams.store import RocksStore
from reference_app.streams.worker import Worker


class _StaysWhereItIs(Worker):
    def _roll_back(self, aborted: TransactionAborted) -> None:
        super()._roll_back(aborted)
        self._rewind = False


class _KeepsTheOverlay(RocksStore[Any, Any]):
    def rollback(self) -> None:
        self._pending = None

    def commit(self, position: Any) -> None:
        super().commit(position)
        super().rollback()


class _KeepsItsBuffer(ReadsAhead):
    def _forget(self, partitions: Collection[int]) -> None:
        """They are waiting to be processed."""


_REFUSED = "pause: receipts grow too old in the producer's queue, and their topic refuses them"

ABORT_WITHOUT_SEEK = Bug(
    name="abort-without-seek",
    breaks="After an abort the consumer goes back to the last committed offset: here it goes on "
    "from where it is.",
    like="Consume-transform-produce loops that call abort_transaction and poll again: the records "
    "of the aborted transaction are skipped.",
    anomalies=("LOST", "OFFSET_AHEAD", "WRONG_RESULT"),
    fault=_REFUSED,
    scenario="zoo-rollbacks",
    breed=lambda parts: replace(parts, worker=_StaysWhereItIs),
)
ABORT_WITHOUT_STORE_ROLLBACK = Bug(
    name="abort-without-store-rollback",
    breaks="After an abort the stores forget what the transaction wrote: here they keep it, and "
    "the same payments are added a second time.",
    like="A cache or an aggregate in memory beside a transactional producer, which nobody undoes.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault=_REFUSED,
    scenario="zoo-rollbacks",
    breed=lambda parts: replace(parts, store=_KeepsTheOverlay),
)
BUFFER_KEPT_AFTER_ABORT = Bug(
    name="buffer-kept-after-abort",
    breaks="After an abort what was fetched before is dropped: here a worker that reads ahead "
    "still processes its next batch, and is then past the records that it went back for.",
    like="A queue between poll and processing that does not know of the seek.",
    anomalies=("LOST", "OFFSET_AHEAD", "WRONG_RESULT"),
    fault=_REFUSED,
    scenario="zoo-rollbacks",
    breed=lambda parts: replace(parts, worker=_KeepsItsBuffer),
)
