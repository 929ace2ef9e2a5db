"""Cells that are red on a healthy app, because the protocol itself has a gap there."""

from __future__ import annotations

from collections.abc import Mapping

from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.wire import Behind, Step

_HELD = {
    "EndTxn": "a late EndTxn ends the next transaction of its producer (the class of KAFKA-17754; "
    "clients that speak EndTxn 5 on brokers with transaction.version 2 are safe)",
    "TxnOffsetCommit": "a late TxnOffsetCommit moves the offsets back within the next transaction",
    "OffsetCommit": "a late OffsetCommit moves the group's offsets back",
    "Produce": "a late Produce of an aborted transaction opens one that nobody ends, or falls into "
    "the next one",
}


def known_hazard(cell: Cell) -> str:
    """Which one it is, in words; empty where the app is to blame."""
    if cell.action not in ("hold", "duplicate"):
        return ""
    return _HELD.get(cell.step.partition("(")[0], "")


_LATE_BEHIND: Mapping[str, Behind] = {
    "EndTxn": Behind(step="Produce"),
    "TxnOffsetCommit": Behind(step="TxnOffsetCommit", nth=2),
    "OffsetCommit": Behind(step="OffsetCommit", nth=2),
}


def late_behind(step: Step) -> Behind | None:
    """Behind which answer a held one meets what it can harm, the client having
    done it once more: the next transaction once that has records, or newer offsets. None where
    there is no such (a held Produce is harmless once the same was taken; only behind an abort,
    which it does not bring about, it is not)."""
    return _LATE_BEHIND.get(step.partition("(")[0])
