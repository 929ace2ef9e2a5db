"""The auditor's words: what it can find, what it says about it, and how sure it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from eoscheck.history.events import Identity


class Code(StrEnum):
    """The anomaly catalogue: one code, one definition, one kind of evidence (docs/anomalies.md)."""

    DUPLICATE = "DUPLICATE"
    LOST = "LOST"
    GAP = "GAP"
    PHANTOM = "PHANTOM"
    REORDERED = "REORDERED"
    WRONG_RESULT = "WRONG_RESULT"
    HANGING_TRANSACTION = "HANGING_TRANSACTION"
    STALLED = "STALLED"


class Guarantee(StrEnum):
    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"
    AT_MOST_ONCE = "at-most-once"


class Verdict(StrEnum):
    """`unknown` is never a pass: something could not be read or judged."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 2}[self]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly with its evidence. `offsets` are those of `topic`/`partition`.

    `allowed` is true where the guarantee asked for permits it (a duplicate under at-least-once).
    """

    code: Code
    topic: str
    partition: int
    offsets: list[int]
    identity: Identity | None
    detail: str
    evidence: dict[str, Any] = {}
    allowed: bool = False


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read or judged, and why: it keeps a verdict from being a pass."""

    subject: str
    reason: str


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit says. `findings` holds the first `max_findings` of each code, `anomalies`
    counts all of them: code -> number, those that the guarantee allows apart in `allowed`.

    `counts` are plain totals (`input_records`, `output_records`, `identities`, ...), `hazards` are
    things that went well only by luck: they do not change the verdict.
    """

    verdict: Verdict
    expect: Guarantee
    output: str
    input: str | None
    counts: dict[str, int]
    anomalies: dict[Code, int]
    allowed: dict[Code, int]
    hazards: list[dict[str, Any]]
    findings: list[Finding]
    unknowns: list[Unknown]
    duration_s: float
