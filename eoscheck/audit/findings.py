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
    ABORTED_VISIBLE = "ABORTED_VISIBLE"
    LOST_COMMIT = "LOST_COMMIT"
    TORN_TRANSACTION = "TORN_TRANSACTION"
    ZOMBIE_WRITE = "ZOMBIE_WRITE"
    HANGING_TRANSACTION = "HANGING_TRANSACTION"
    OFFSET_AHEAD = "OFFSET_AHEAD"
    OFFSET_BEHIND = "OFFSET_BEHIND"
    MISPARTITIONED = "MISPARTITIONED"
    OFFSET_REGRESSION = "OFFSET_REGRESSION"
    STATE_DIVERGED = "STATE_DIVERGED"
    RESTORE_SHORT = "RESTORE_SHORT"
    RETENTION_BREACH = "RETENTION_BREACH"
    CORRUPTED = "CORRUPTED"
    LOG_REWRITTEN = "LOG_REWRITTEN"
    STALLED = "STALLED"


class HazardCode(StrEnum):
    """Nothing went wrong, but only by luck. They change the verdict only with `strict`."""

    NOT_TRANSACTIONAL = "NOT_TRANSACTIONAL"
    OFFSETS_OUTSIDE_TRANSACTION = "OFFSETS_OUTSIDE_TRANSACTION"
    FRESH_TRANSACTIONAL_ID = "FRESH_TRANSACTIONAL_ID"
    TIMEOUT_TOO_LONG = "TIMEOUT_TOO_LONG"
    LONG_TRANSACTION = "LONG_TRANSACTION"
    UNFENCED_OFFSETS = "UNFENCED_OFFSETS"
    UNSTABLE_READ = "UNSTABLE_READ"


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


class Hazard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where it is about a place: `topic`, `partition`, `offset`. `facts` are the numbers behind
    `detail`, one sentence."""

    code: HazardCode
    detail: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    facts: dict[str, Any] = {}


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read or judged, and why: it keeps a verdict from being a pass."""

    subject: str
    reason: str


class TransactionStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Transactions of one topic up to its cuts, counted once in each partition they touch.

    Sizes are records, durations milliseconds from the first batch's time to the marker's; each as
    p50, p99 and max of the ended ones. `lso_lag` is the high watermark less the last stable offset,
    summed over the partitions, when the read ended.
    """

    topic: str
    committed: int
    aborted: int
    open: int
    committed_records: int
    aborted_records: int
    size: dict[str, float]
    duration_ms: dict[str, float]
    lso_lag: int


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit says. `findings` holds the first `max_findings` of each code, `anomalies`
    counts all of them: code -> number, those that the guarantee allows apart in `allowed`.

    `counts` are plain totals (`input_records`, `output_records`, `identities`, ...), `hazards` are
    things that went well only by luck: they change the verdict only where `strict` was asked for.
    `scope` says in words what was left out on request (a range, a sample).
    """

    verdict: Verdict
    expect: Guarantee
    output: str
    input: str | None
    counts: dict[str, int]
    anomalies: dict[Code, int]
    allowed: dict[Code, int]
    hazards: list[Hazard]
    findings: list[Finding]
    unknowns: list[Unknown]
    duration_s: float
    transactions: list[TransactionStatistics] = []
    scope: list[str] = []
