"""Bugs in the stores: what is durable, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from reference_app.bugs.bug import Bug
from reference_app.streams.store import DATA_PREFIX, Position, RocksStore


class _WritesAtOnce(RocksStore[Any, Any]):
    def put(self, key: Any, value: Any) -> None:
        super().put(key, value)
        self._db.put(DATA_PREFIX + self._encode_key(key), self._encode_value(value))


class _KeepsItsCheckpoint(_WritesAtOnce):
    @property
    def position(self) -> Position | None:
        try:
            return msgspec.msgpack.decode(self._checkpoint.read_bytes(), type=Position)
        except FileNotFoundError:
            return None

    def finish_restore(self, position: Position) -> None:
        super().finish_restore(position)
        self._checkpoint.write_bytes(msgspec.msgpack.encode(position))

    @property
    def _checkpoint(self) -> Path:
        return self._path.with_suffix(".checkpoint")


class _LogsItsPositionOnly(RocksStore[Any, Any]):
    def _write(
        self, records: Iterable[tuple[bytes, bytes | None]], position: Position, *, wal: bool
    ) -> None:
        super()._write(records, position, wal=False)
        super()._write((), position, wal=True)


STORE_WRITTEN_BEFORE_COMMIT = Bug(
    name="store-written-before-commit",
    breaks="Uncommitted state is never durable: here every put goes to RocksDB at once, and a "
    "restart goes on from balances whose payments it will process again.",
    like="Kafka Streams' stores before KIP-892; it wipes them after a crash for this reason.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="kill (SIGKILL) with a transaction open, state directory kept",
    scenario="zoo-kills",
    breed=lambda parts: replace(parts, store=_WritesAtOnce),
)
CHECKPOINT_KEPT_AFTER_CRASH = Bug(
    name="checkpoint-kept-after-crash",
    breaks="A store that may be ahead of its commits is only trusted after a clean close: here "
    "the checkpoint file of the last restore is still there after a crash, beside newer files.",
    like="Kafka Streams before KIP-892 removes a store's .checkpoint file while it is open, for "
    "this reason, and restores everything where it finds none.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="kill (SIGKILL) with a transaction open, state directory kept",
    scenario="zoo-kills",
    breed=lambda parts: replace(parts, store=_KeepsItsCheckpoint),
)
POSITION_DURABLE_BEFORE_DATA = Bug(
    name="position-durable-before-data",
    breaks="A store's data and its changelog offset become durable together: here the offset is "
    "logged at once and the data when RocksDB next flushes.",
    like="A checkpoint file written without flushing the store; KIP-1035 moves the offsets into "
    "the store.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED", "RESTORE_SHORT"),
    fault="kill (SIGKILL), state directory kept",
    scenario="zoo-kills",
    breed=lambda parts: replace(parts, store=_LogsItsPositionOnly),
)
