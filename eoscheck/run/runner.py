"""One scenario from start to verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eoscheck.audit import run_audit
from eoscheck.audit.findings import AuditReport
from eoscheck.cluster.brokers import Brokers
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.view import ClusterView
from eoscheck.faults import PlannedFault, Targets, plan
from eoscheck.faults.preparing import check_machine, prepare
from eoscheck.history import (
    Event,
    PhaseStarted,
    Recorder,
    RunStarted,
    read_history,
)
from eoscheck.history.progress import Progress
from eoscheck.measure import from_history
from eoscheck.run.environment import describe_environment
from eoscheck.run.feed import Feed
from eoscheck.run.fresh import fresh_subject, make_topics
from eoscheck.run.input import check_input
from eoscheck.run.judge import as_expected, judge, tally_faults
from eoscheck.run.needs import has_spares
from eoscheck.run.opened import Opened
from eoscheck.run.result import RESULT_FILE, RunResult
from eoscheck.run.scenario import Scenario
from eoscheck.run.sequence import sequences
from eoscheck.run.stage import Act, Stage, conduct
from eoscheck.run.trace import Traced, read_trace
from eoscheck.run.watched_brokers import WatchedBrokers


def run_scenario(
    scenario: Scenario,
    *,
    on: Opened,
    folder: Path,
    run_id: str,
    repeat: str,
    seed: int | None = None,
    listener: Callable[[Event], None] | None = None,
    act: Act | None = None,
    feed: Feed | None = None,
    closely: bool = False,
) -> RunResult:
    """Runs `scenario` on an opened cluster, audits it, and leaves `history.ndjson` and
    `result.json` in `folder`.

    `scenario` is as `load_scenario(..., run_id=run_id)` gave it; `seed` replaces its own; `repeat`
    is the command that does this run again; `listener` gets each event as it happens; `act` is done
    in place of the scenario's faults, and heals what it does (its witness needs a wire); `feed`
    writes the load in place of ours; `closely` also records how the subject's group changes, and
    every restore.
    Raises UsageError or InfrastructureError where the run cannot be made; whatever was started is
    stopped on every way out.
    """
    seed = scenario.seed if seed is None else seed
    faults = [] if act is not None else plan_faults(scenario, seed=seed)
    started_at = datetime.now(UTC)
    environment = describe_environment(on.cluster)
    progress = Progress()
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(folder))
        recorder.subscribe(progress)
        if listener is not None:
            recorder.subscribe(listener)
        recorder.record(
            RunStarted(
                t=recorder.now(),
                run_id=run_id,
                scenario=scenario.name,
                seed=seed,
                started_at=started_at.isoformat(timespec="seconds"),
                environment=environment,
            )
        )
        view = stack.enter_context(ClusterView(on.cluster.client_config))
        _prepare_topics(scenario, cluster=on.cluster, view=view)
        with fresh_subject(
            scenario,
            ground=on,
            recorder=recorder,
            folder=folder,
            run_id=run_id,
            spares=has_spares(scenario),
        ) as subject:
            prepare(subject, scenario.faults)
            stage = Stage(
                scenario=scenario,
                run_id=run_id,
                seed=seed,
                cluster=on.cluster,
                view=view,
                subject=subject,
                recorder=recorder,
                progress=progress,
                network=on.network,
                wire=on.wire,
                brokers=_watched(on.cluster.brokers, recorder=recorder),
                feed=feed,
                closely=closely,
            )
            conduct(stage, faults=faults, act=act)
        trace = read_trace(folder) if on.wire is not None else None
        audit = _audit(stage, trace or ())
    return _conclude(
        scenario,
        events=read_history(folder),
        trace=trace,
        audit=audit,
        planned=len(faults),
        folder=folder,
        repeat=repeat,
    )


def plan_faults(scenario: Scenario, *, seed: int) -> list[PlannedFault]:
    """The schedule, before anything starts. Raises UsageError where so many faults do not fit, this
    machine or such a cluster cannot do one of them, or the load's file is bad."""
    check_machine(scenario.faults, provider=scenario.cluster.provider)
    check_input(scenario)
    return plan(
        scenario.faults,
        seed=seed,
        targets=[
            Targets(
                role=role.name,
                instances=role.instances,
                session_timeout_s=role.spec.session_timeout_s,
            )
            for role in scenario.roles
        ],
        duration_s=scenario.timing.seconds("faults"),
        gap_s=scenario.timing.gap_s,
    )


def _watched(brokers: Brokers | None, *, recorder: Recorder) -> Brokers | None:
    return None if brokers is None else WatchedBrokers(brokers, recorder=recorder)


def _prepare_topics(scenario: Scenario, *, cluster: Cluster, view: ClusterView) -> None:
    """Creates the scenario's topics on a cluster of ours; elsewhere they must be there already."""
    if cluster.owned:
        make_topics(scenario, cluster=cluster)
    between = {topic for role in scenario.roles for topic in (role.input, role.output)}
    for topic in sorted({scenario.load.topic, scenario.audit.output} | between):
        view.partitions(topic)


def _audit(stage: Stage, trace: Sequence[Traced]) -> AuditReport:
    recorder, folder = stage.recorder, stage.recorder.path.parent
    recorder.record(PhaseStarted(t=recorder.now(), phase="audit"))
    for event in stage.subject.restores(since_start=_run_time(recorder)):
        recorder.record(event)
    return run_audit(
        stage.scenario.audit,
        client_config=stage.cluster.client_config,
        history=read_history(folder),
        trace=trace,
        liveness_s=stage.scenario.timing.seconds("liveness"),
    )


def _run_time(recorder: Recorder) -> Callable[[float], float]:
    """From Unix seconds, by the clocks as they are now."""
    began = time.time() - recorder.now()
    return lambda unix: unix - began


def _conclude(
    scenario: Scenario,
    *,
    events: Sequence[Event],
    trace: Sequence[Traced] | None,
    audit: AuditReport,
    planned: int,
    folder: Path,
    repeat: str,
) -> RunResult:
    """A pure function of what the run left, and the file that keeps it."""
    start = next(event for event in events if isinstance(event, RunStarted))
    tally = tally_faults(events, planned=planned, trace=trace)
    verdict, reasons = judge(audit=audit, events=events, tally=tally)
    result = RunResult(
        run_id=start.run_id,
        scenario=scenario.name,
        title=scenario.title,
        guarantee=scenario.audit.expect,
        seed=start.seed,
        started_at=start.started_at,
        verdict=verdict,
        reasons=reasons,
        expected=scenario.expect,
        as_expected=as_expected(verdict=verdict, audit=audit, expected=scenario.expect),
        audit=audit,
        figures=from_history(events),
        tally=tally,
        environment=start.environment,
        repeat=repeat,
        folder=str(folder),
        sequences=sequences(trace or (), events=events, audit=audit),
    )
    (folder / RESULT_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return result
