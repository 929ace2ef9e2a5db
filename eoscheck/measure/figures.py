"""Figures as plain data: what a run measured. Reports show them, none of them is asserted.

Times are seconds of the run's clock, durations are seconds. `None` means "not known", never zero.
How each figure is taken: docs/measures.md.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from eoscheck.errors import UsageError


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % confidence interval, which needs at least two repetitions."""

    value: float
    low: float | None
    high: float | None


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """A sample quantile, and the value that the true one exceeds with at most 5 % probability.

    `upper` is an order statistic, so it holds for any distribution; None where n cannot give it.
    """

    value: float | None
    upper: float | None


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of `n` repetitions. `censored` of them had not ended when the run did: they count
    as longer than all others, so a quantile among them is None, and so is `max`.

    `p90` and `p99` are there only where n can bound them from above (n >= 29, n >= 299).
    """

    n: int
    censored: int
    p50: Quantile
    p90: Quantile | None
    p99: Quantile | None
    max: float | None


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault cost in time. Durations run from the injection at `t`.

    `recovered_after_s`: the first committed output of an affected partition whose input came after
    the fault. `all_recovered_after_s`: every affected partition that had such input has such an
    output. `caught_up_after_s`: from then on, the first lag sample at or below `lag_before`.

    `judged_by` says which input partitions count as affected: the victim's own, or `all` of them
    where the history does not know the victim's; then the first output of a bystander would prove
    nothing, and `recovered_after_s` is `all_recovered_after_s`.

    `target` says in words who was hit (`instance 1`, `broker 2 (controller)`), where it is told.

    `longest_outage_s`: the longest outage that touches the time from the injection to the heal.

    `outcome`: `no_input` where nothing was sent to an affected partition after the fault, so that
    nothing can be said. `overlapped`: another fault came before this one had recovered.
    """

    fault_id: str
    kind: str
    instance: int | None
    t: float
    healed_at: float | None
    down_s: float
    outlasts_session: bool
    wiped: bool
    left_open: int | None
    partitions: list[int]
    judged_by: Literal["victim", "all"]
    outcome: Literal["recovered", "not_recovered", "no_input"]
    recovered_after_s: float | None
    all_recovered_after_s: float | None
    caught_up_after_s: float | None
    lag_before: int | None
    overlapped: bool
    longest_outage_s: float | None = None
    target: str = ""


class RecoverySummary(msgspec.Struct, frozen=True, kw_only=True):
    """The recoveries of a run as distributions; None where no fault could be judged."""

    recovered: Distribution | None
    all_recovered: Distribution | None
    caught_up: Distribution | None


BIN_S = 0.2
"""The finest bins: a recovery is seen in them."""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The run in bins of `bin_s` seconds, as columns of equal length; bin i begins at i * bin_s.

    `committed_per_s`: outputs as the live `read_committed` reader saw them. `sent_per_s`: input
    that was acknowledged, at its intended time. `lag` (records the group has not committed) and
    `held_back` (offsets between the last stable offset and the high watermark of the output: what
    an open transaction hides: the LSO lag) are the highest sample of the bin, None where there is
    none.

    Bins wider than `BIN_S` keep the extremes of what is in them, so that no spike and no standstill
    is averaged away: the lowest and highest rate in any `BIN_S`, the lowest lag. In bins of
    `BIN_S` there is nothing to keep, and these columns are empty.
    """

    bin_s: float
    sent_per_s: list[float]
    committed_per_s: list[float]
    lag: list[int | None]
    held_back: list[int | None]
    committed_low: list[float] = []
    committed_high: list[float] = []
    lag_low: list[int | None] = []


State: TypeAlias = Literal["up", "restoring", "running", "paused", "down", "stopped"]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """`up`: the process runs. `running`: it has been seen to work, too. `restoring`: it rebuilds
    its state, as it says itself. `paused`: by a fault. `stopped`: by the harness, after the drain.
    """

    state: State
    start: float
    end: float


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One process over the run, in order, without holes from its first start to the end: an
    instance of the subject, or a broker of a cluster that is ours. `role`: of which app of the
    subject it is one; empty where that is one app."""

    kind: Literal["instance", "broker"]
    number: int
    starts: int
    spans: list[Span]
    role: str = ""

    @property
    def name(self) -> str:
        return f"{self.role or self.kind} {self.number}"


class LatencyFigure(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the intended send to the live `read_committed` reader (HdrHistogram)."""

    n: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """`steady`: seen before the first fault. `faults`: everything sent later, or not seen by then.

    Both leave out what was sent while the subject started; `overall` has all. None: no record.
    """

    overall: LatencyFigure | None
    steady: LatencyFigure | None
    faults: LatencyFigure | None


class LongestGaps(msgspec.Struct, frozen=True, kw_only=True):
    """Liveness: the longest time without a committed output. None where that stretch had none.

    `during`: gaps that touch the time from the first injection to the last heal. A gap that the
    end of the run cut short, with input still waiting, counts as long as it was seen.
    """

    before: float | None
    during: float | None
    after: float | None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which input waited and no output was committed: it begins, at `t`, with the last
    output before, or when the first input came that had to wait."""

    t: float
    seconds: float

    @property
    def end(self) -> float:
        return self.t + self.seconds


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Records. `sent` = acknowledged + aborted + indeterminate + failed.

    `observed` committed outputs were seen live, of `distinct` identities. `reprocessed`: those
    beyond the first of each identity. `unobserved`: acknowledged identities without an output seen
    live (the audit, not this, decides whether they are lost). `unmatched`: distinct identities
    observed that no acknowledged send carries.
    """

    sent: int
    acknowledged: int
    aborted: int
    indeterminate: int
    failed: int
    observed: int
    distinct: int
    reprocessed: int
    unobserved: int
    unmatched: int


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured in one run. `duration_s` is up to the audit, which is no part of it.

    `longest_outage` began while the load ran; None where no input had to wait, or nobody looked.
    """

    duration_s: float
    counts: Counts
    recoveries: list[Recovery]
    recovery: RecoverySummary
    latency: Latency
    longest_gap_s: LongestGaps
    timeline: Timeline
    lanes: list[Lane]
    longest_outage: Outage | None = None
    recovery_by_kind: dict[str, RecoverySummary] = {}
    """By kind of fault, in the order that each first struck."""


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """One drain of a preloaded backlog: `records` committed in `seconds` of wall time.

    `cpu_s`: CPU seconds of the subject's processes, `broker_cpu_s` of the brokers' in the same
    time; `broker_bytes_per_record`: what all logs of the cluster grew by, from the subject's start
    to its stop, by the records it committed. None where they were not taken.
    Raises UsageError where there is nothing to divide.
    """

    label: str
    seconds: float
    records: int
    cpu_s: float | None = None
    broker_cpu_s: float | None = None
    broker_bytes_per_record: float | None = None

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.records > 0):
            raise UsageError(
                f"a drain needs records and time: {self.label!r} has {self.records} records"
                f" in {self.seconds} s"
            )
        if self.cpu_s is not None and not self.cpu_s > 0:
            raise UsageError(f"a drain takes CPU seconds: {self.label!r} has {self.cpu_s}")

    @property
    def records_per_s(self) -> float:
        return self.records / self.seconds


class CostSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of two settings: geometric means over its drains, so that their quotient is the ratio."""

    label: str
    records_per_s: float
    cpu_us_per_record: float | None


class CostFigure(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of `measured` against `baseline`, from `pairs` interleaved pairs of drains.

    `ratio` = throughput(measured) / throughput(baseline), `cost` = 1 - ratio. `cpu_ratio`: CPU
    seconds a record, measured / baseline; it survives a busy machine.
    """

    measured: CostSide
    baseline: CostSide
    pairs: int
    ratio: Estimate
    cost: Estimate
    cpu_ratio: Estimate | None
    drains: list[Drain]
