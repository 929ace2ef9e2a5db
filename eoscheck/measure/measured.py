"""What `eoscheck measure` found out about one subject: plain data, as `measured.json` keeps it.

Times are seconds, rates are records or MB (10^6 bytes) a second. `None` means "not known", never
zero. How each figure is taken: docs/measures.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from eoscheck.measure.figures import (
    CostFigure,
    Distribution,
    Drain,
    Estimate,
    LatencyFigure,
)

MEASURED_FILE = "measured.json"
"""In a measure's folder, above its runs' folders: its Measured as JSON."""


Outcome = Literal["met", "not met", "not yet known"]


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for: the `quantile` (0.99) of a duration is at most `seconds`."""

    quantile: float
    seconds: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an objective is met, with 95 % confidence. `more`: how many more repetitions are
    needed at least where `n` cannot tell; `why` in one sentence."""

    objective: Objective
    outcome: Outcome
    n: int
    more: int | None
    why: str


class RecoverySample(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of `kind`. `phases`: their durations in the order of `PHASES`, None where the
    history does not show them; `reprocessed`: inputs whose processing was thrown away."""

    kind: str
    run_id: str
    t: float
    recovered_after_s: float | None
    caught_up_after_s: float | None
    phases: dict[str, float | None]
    reprocessed: int | None


class PhaseFigure(msgspec.Struct, frozen=True, kw_only=True):
    phase: str
    durations: Distribution | None


class KindFigure(msgspec.Struct, frozen=True, kw_only=True):
    """The repetitions of one kind of fault (`kill`, `kill-wiped`, `restart`, `pause`,
    `broker-kill`, `scale-out`), `title` in words. `reprocessed` in records."""

    kind: str
    title: str
    recovered: Distribution | None
    caught_up: Distribution | None
    phases: list[PhaseFigure]
    reprocessed: Distribution | None
    judgement: Judgement | None
    samples: list[RecoverySample]
    left_out: dict[str, int] = {}
    """Repetitions that say nothing, counted by their reason."""


class RecoveryMeasure(msgspec.Struct, frozen=True, kw_only=True):
    kinds: list[KindFigure]


class LatencyAtLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Latency of both settings at `rate` records a second, `share` of the saturation throughput.
    The ratios are measured / baseline, from `pairs` interleaved pairs."""

    share: float
    rate: float
    pairs: int
    measured: LatencyFigure
    baseline: LatencyFigure
    p50_ratio: Estimate
    p99_ratio: Estimate


class BrokerCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one drain costs the brokers: `what` is "CPU" (µs a record) or "bytes" (a record)."""

    what: Literal["CPU", "bytes"]
    measured: float
    baseline: float
    ratio: Estimate


class CostMeasure(msgspec.Struct, frozen=True, kw_only=True):
    throughput: CostFigure
    latency: list[LatencyAtLoad]
    broker: list[BrokerCost]


class IntervalPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One commit interval. `throughput` in records a second over its drains; `latency` at one
    rate for all intervals, `quantile` the one that the objective asks for (p99 without one), over
    its rounds; `reprocessed` (records) and `recovered` after kills. `gain`: throughput of the best
    longer interval over this one's, as a ratio; None for the longest, and with one round."""

    interval_s: float
    throughput: Estimate
    latency: LatencyFigure | None
    reprocessed: Distribution | None
    recovered: Distribution | None
    drains: list[Drain]
    quantile: Estimate | None = None
    gain: Estimate | None = None


class CommitIntervalMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """`knee_s`: from this interval on no longer one gains `least_gain` (0.05) of throughput or
    more, with 95 % confidence; None where that cannot be said of any.
    `advice`: one sentence for the stated objectives: `objective` for latency, `recovery_point` for
    the records that a kill may throw away."""

    points: list[IntervalPoint]
    rate: float
    knee_s: float | None
    advice: str
    least_gain: float = 0.05
    objective: Objective | None = None
    recovery_point: float | None = None


class RestorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One restore: `megabytes` of keys and values (10^6 bytes) applied in `seconds` by one task."""

    megabytes: float
    records: int
    keys: int
    value_bytes: int
    standby: bool
    seconds: float
    tasks: int = 1

    @property
    def megabytes_per_s(self) -> float:
        return self.megabytes / self.seconds


class Extrapolation(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: the predicted time of a restore of `megabytes`, with the interval in which 95 %
    of restores are; `measured_s` where one of that size was measured, not used for the fit."""

    megabytes: float
    seconds: Estimate
    measured_s: float | None = None


class Bend(msgspec.Struct, frozen=True, kw_only=True):
    """Restores of `megabytes` took `factor` as long as the line through all sizes says."""

    megabytes: float
    factor: float


class RestoreMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """seconds = `fixed_s` + megabytes / `megabytes_per_s`, a task; `largest_megabytes`: what is
    restored within the objective's seconds, 19 times of 20; `bend`: the size that is furthest off,
    where the sizes do not lie on one line."""

    points: list[RestorePoint]
    fixed_s: Estimate
    megabytes_per_s: Estimate
    extrapolations: list[Extrapolation]
    objective: Objective | None = None
    largest_megabytes: float | None = None
    bend: Bend | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measure from start to end; exactly one of the four figures is there, as `what` says.

    `headline`: the answer in one sentence; `notes`: what has to be known to read it; `runs`: the
    folders of the runs it was taken from.
    """

    what: Literal["recovery", "cost", "commit-interval", "restore"]
    measure_id: str
    title: str
    headline: str
    scenario: str
    seed: int
    started_at: str
    environment: dict[str, str]
    repeat: str
    folder: str
    notes: list[str] = []
    runs: list[str] = []
    recovery: RecoveryMeasure | None = None
    cost: CostMeasure | None = None
    commit_interval: CommitIntervalMeasure | None = None
    restore: RestoreMeasure | None = None
