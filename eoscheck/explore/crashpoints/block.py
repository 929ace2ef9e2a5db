"""A run that goes through cells: one live cluster, one subject, fresh topics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eoscheck.audit.findings import AuditReport
from eoscheck.cluster.provider import Cluster
from eoscheck.errors import UsageError
from eoscheck.explore.crashpoints.course import Course, Log, Orders
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.process import Supervisor
from eoscheck.run.opened import Opened
from eoscheck.run.result import RunResult
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import Scenario
from eoscheck.wire import Wire


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where blocks run: a cluster that was started with `wire` between it and the instances."""

    cluster: Cluster
    supervisor: Supervisor
    wire: Wire


@dataclass(frozen=True, kw_only=True)
class Block:
    """What one run through cells came to: see `Log`. `red` is the last audit's where none before
    it found anything, nor was anything found `before` the first cell."""

    outcomes: list[Outcome]
    clean_to: int
    red: tuple[int, AuditReport] | None
    before: AuditReport | None
    stalled: str
    result: RunResult
    audits: int


def check_scenario(scenario: Scenario) -> None:
    """Raises UsageError for a subject of which nobody could tell whether it recovered."""
    subject = scenario.subject
    if subject.instances < 2:
        raise UsageError(
            "crash points need another instance to take over: set subject.instances=2, or more"
        )
    if subject.group is None or subject.client_id is None:
        raise UsageError(
            "crash points need subject.group and subject.client_id: they tell who has taken over "
            "from whom"
        )


def run_block(
    scenario: Scenario,
    *,
    orders: Orders,
    site: Site,
    folder: Path,
    run_id: str,
    repeat: str,
) -> Block:
    """Runs `scenario` and, in place of its faults, the cells of `orders`. Those that were tried are
    taken off the agenda. Raises UsageError or InfrastructureError where the run cannot be made."""
    check_scenario(scenario)
    log = Log()
    result = run_scenario(
        scenario,
        on=Opened(cluster=site.cluster, supervisor=site.supervisor, wire=site.wire),
        folder=folder,
        run_id=run_id,
        repeat=repeat,
        seed=orders.seed,
        act=lambda stage, witness: Course(stage, witness, orders, log).run(),
    )
    red = log.red
    if red is None and log.before is None and any(result.audit.anomalies.values()):
        red = (len(log.outcomes), result.audit)
    return Block(
        outcomes=log.outcomes,
        clean_to=log.clean_to,
        red=red,
        before=log.before,
        stalled=log.stalled,
        result=result,
        audits=log.audits,
    )
