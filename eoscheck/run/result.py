"""One result object: every reporter is a view of it."""

from __future__ import annotations

import msgspec

from eoscheck.audit.findings import AuditReport, Guarantee, Verdict
from eoscheck.measure.figures import CostFigure, RunFigures
from eoscheck.run.expectation import Expectation
from eoscheck.run.sequence import StepSequence

RESULT_FILE = "result.json"
"""In a run's folder, beside its history: its RunResult as JSON."""

DEMO_FILE = "demo.json"
"""In a demo's folder, above its runs' folders: its DemoResult as JSON."""


class FaultTally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over one run's faults. `left_open`: those that left an open transaction behind;
    `rolled_back`: transactions that the subject aborted, where the run was traced."""

    planned: int
    injected: int
    missed: int
    left_open: int
    outlasted_session: int
    wiped: int
    rolled_back: int | None = None


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario from start to verdict. `reasons` says in words why the verdict is what it is.

    The run's verdict is the audit's, made `unknown` where planned faults did not bite or the run
    did not end as it should; `repeat` is the command that does the same again; `sequences` are of
    its protocol trace, where it has one.
    """

    run_id: str
    scenario: str
    title: str
    guarantee: Guarantee
    seed: int
    started_at: str
    verdict: Verdict
    reasons: list[str]
    expected: Expectation
    as_expected: bool
    audit: AuditReport
    figures: RunFigures
    tally: FaultTally
    environment: dict[str, str]
    repeat: str
    folder: str
    sequences: list[StepSequence] = []


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """Several runs shown as one: what `eoscheck demo` did, or what `eoscheck report` was given."""

    title: str
    runs: list[RunResult]
    cost: CostFigure | None
    repeat: str
    generated_at: str
