"""Bugs in the stores: what is durable, and what a restore believes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from confluent_kafka import IsolationLevel

from reference_app.bugs.bug import Bug
from reference_app.streams.store import DATA_PREFIX, RocksStore


class _WritesAtOnce(RocksStore[Any, Any]):
    def put(self, key: Any, value: Any) -> None:
        super().put(key, value)
        self._db.put(DATA_PREFIX + self._encode_key(key), self._encode_value(value))


STORE_WRITTEN_BEFORE_COMMIT = Bug(
    name="store-written-before-commit",
    breaks="Uncommitted state is never durable: here every put goes to RocksDB at once, and a "
    "restart goes on from balances whose payments it will process again.",
    like="Kafka Streams' stores before KIP-892; it wipes them after a crash for this reason.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="kill (SIGKILL) with a transaction open, state directory kept",
    breed=lambda parts: replace(parts, store=_WritesAtOnce),
)
RESTORE_TO_LSO = Bug(
    name="restore-to-lso",
    breaks="A restore ends at the high watermark: here it ends at the last stable offset, and "
    "what was committed above an open transaction is not restored.",
    like="KAFKA-10167.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED", "RESTORE_SHORT"),
    fault="an open transaction in the changelog that its owner does not take up again (crash "
    "before EndTxn, state directory wiped), and within its time-out a second kill with the "
    "directory wiped: what was committed in between lies above the last stable offset",
    breed=lambda parts: replace(parts, restore_end=IsolationLevel.READ_COMMITTED),
)
