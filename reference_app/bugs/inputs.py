"""Bugs in how the input is read."""

from __future__ import annotations

from dataclasses import replace

from reference_app.bugs.bug import Bug
from reference_app.streams.parts import Parts


def _read_uncommitted(parts: Parts) -> Parts:
    overrides = {**parts.consumer_overrides, "isolation.level": "read_uncommitted"}
    return replace(parts, consumer_overrides=overrides)


READ_UNCOMMITTED_INPUT = Bug(
    name="read-uncommitted-input",
    breaks="The input is read under read_committed: here aborted payments get receipts too.",
    like="isolation.level left at the Java client's default of read_uncommitted.",
    anomalies=("PHANTOM", "WRONG_RESULT"),
    fault="none: a load that aborts some of its transactions",
    scenario="zoo-kills",
    settings=("faults=[]", "timing.steady=3s", "load.abort_ratio=0.3"),
    breed=_read_uncommitted,
)
