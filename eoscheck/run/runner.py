"""One scenario from start to verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eoscheck.audit import run_audit
from eoscheck.audit.findings import AuditReport
from eoscheck.audit.identity import parse
from eoscheck.cluster.brokers import Brokers
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.roles import Roles
from eoscheck.cluster.topics import NewTopic, create_topics
from eoscheck.cluster.transactions import TransactionView
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import InfrastructureError
from eoscheck.faults import PlannedFault, Scene, Targets, plan, run_faults
from eoscheck.faults.preparing import check_machine, prepare
from eoscheck.faults.witness import Witness
from eoscheck.history import (
    Event,
    PhaseStarted,
    Recorder,
    RunFinished,
    RunStarted,
    read_history,
)
from eoscheck.history.progress import Progress
from eoscheck.measure import from_history
from eoscheck.network import Network
from eoscheck.run.background import Background
from eoscheck.run.drain import data_ends, wait_drained, wait_observed
from eoscheck.run.environment import describe_environment
from eoscheck.run.feed import Feed, Wanted, write_load
from eoscheck.run.input import check_input
from eoscheck.run.judge import as_expected, judge, tally_faults
from eoscheck.run.needs import has_spares
from eoscheck.run.observer import (
    RestartWatch,
    observe_outputs,
    sample_changelogs,
    sample_progress,
    watch_group,
)
from eoscheck.run.opened import Opened
from eoscheck.run.result import RESULT_FILE, RunResult
from eoscheck.run.scenario import Scenario
from eoscheck.run.sequence import sequences
from eoscheck.run.trace import Traced, read_trace, topic_roles, tracing
from eoscheck.run.watched_brokers import WatchedBrokers
from eoscheck.subject import Subject
from eoscheck.wire import Wire


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one run works with: made once, used by every phase, changed by none."""

    scenario: Scenario
    run_id: str
    seed: int
    cluster: Cluster
    view: ClusterView
    subject: Subject
    recorder: Recorder
    progress: Progress
    network: Network | None
    wire: Wire | None
    brokers: Brokers | None
    feed: Feed | None
    closely: bool


Act = Callable[[Stage, Witness | None], None]


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
        subject = Subject(
            scenario.roles,
            supervisor=on.supervisor,
            recorder=recorder,
            folder=folder,
            run_id=run_id,
            bootstrap_for=on.cluster.bootstrap_for,
            spares=has_spares(scenario),
        )
        for instance in (*subject.instances, *subject.spares):
            on.supervisor.remove_at_exit(subject.state_dir(instance))  # should we be killed
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
        try:
            _conduct(stage, faults=faults, act=act)
        finally:
            subject.discard_state()
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
        create_topics(
            cluster.client_config,
            [
                NewTopic(name=name, partitions=topic.partitions, config=topic.config)
                for name, topic in scenario.topics.items()
            ],
        )
    between = {topic for role in scenario.roles for topic in (role.input, role.output)}
    for topic in sorted({scenario.load.topic, scenario.audit.output} | between):
        view.partitions(topic)


def _conduct(stage: Stage, *, faults: Sequence[PlannedFault], act: Act | None) -> None:
    """Load, faults, heal, drain: whatever happens, the subject is stopped at the end."""
    timing, recorder = stage.scenario.timing, stage.recorder
    try:
        with _tracing(stage) as witness, _observing(stage):
            recorder.record(PhaseStarted(t=recorder.now(), phase="start"))
            stage.subject.start_all()
            stage.subject.wait_ready(view=stage.view)
            stage.subject.keep_running()
            with _loading(stage) as load:
                recorder.record(PhaseStarted(t=recorder.now(), phase="steady"))
                load.pause(timing.seconds("steady"))
                recorder.record(PhaseStarted(t=recorder.now(), phase="faults"))
                if act is None:
                    inject(stage, faults=faults, witness=witness)
                else:
                    act(stage, witness)
                load.pause(timing.seconds("settle"))
            recorder.record(PhaseStarted(t=recorder.now(), phase="drain"))
            drained, reason = _drain(stage)
            wait_observed(
                progress=stage.progress,
                view=stage.view,
                topic=stage.scenario.audit.output,
                now=recorder.now,
            )
            recorder.record(RunFinished(t=recorder.now(), drained=drained, reason=reason))
    finally:
        stage.subject.stop_all()


def _drain(stage: Stage) -> tuple[bool, str]:
    """One app after the other: once one has finished its input and has stopped, the next one's
    input is complete. Whether all have, and what was seen."""
    now, timeout_s = stage.recorder.now, stage.scenario.timing.seconds("drain")
    give_up_at = now() + timeout_s
    drained, reason = True, ""
    for role in stage.subject.roles:
        try:
            due = stage.progress.due
            if role.input != stage.scenario.load.topic:
                due = data_ends(
                    stage.cluster.client_config,
                    view=stage.view,
                    group=role.spec.group,
                    topic=role.input,
                    timeout_s=give_up_at - now(),
                    now=now,
                )
            drained, reason = wait_drained(
                progress=stage.progress,
                due=due,
                view=stage.view,
                group=role.spec.group,
                input_topic=role.input,
                timeout_s=give_up_at - now(),
                now=now,
            )
        except InfrastructureError as error:
            drained, reason = False, f"what {role.name} is to read: {error}"
        if not drained:
            break
        stage.subject.stop_role(role)
    stage.subject.stop_all()
    return drained, reason


def _tracing(stage: Stage) -> AbstractContextManager[Witness | None]:
    """From before the subject starts until it has stopped."""
    if stage.wire is None:
        return nullcontext()
    return tracing(
        stage.wire,
        roles=topic_roles(stage.scenario),
        subject=stage.subject,
        recorder=stage.recorder,
    )


@contextmanager
def _observing(stage: Stage) -> Iterator[Background]:
    """The live reader and the sampler, from before the subject starts until it has stopped."""
    scenario = stage.scenario
    restarts = RestartWatch(stage.subject, view=stage.view, recorder=stage.recorder)
    stage.recorder.subscribe(restarts)
    with Background(name="observer") as background:
        background.start(
            lambda: observe_outputs(
                topic=scenario.audit.output,
                partitions=stage.view.partitions(scenario.audit.output),
                client_config=stage.cluster.client_config,
                identify=parse(scenario.audit.id),
                recorder=stage.recorder,
                stop=background.stop,
            )
        )
        background.start(
            lambda: sample_progress(
                view=stage.view,
                roles=stage.subject.roles,
                output_topic=scenario.audit.output,
                recorder=stage.recorder,
                stop=background.stop,
                on_group=restarts.look,
            )
        )
        group = stage.subject.roles[0].spec.group
        if stage.closely and group is not None:
            background.start(
                lambda: watch_group(
                    view=stage.view,
                    group=group,
                    topic=scenario.load.topic,
                    recorder=stage.recorder,
                    stop=background.stop,
                )
            )
        changelogs = [each.name for each in scenario.audit.changelogs]
        if changelogs:
            background.start(
                lambda: sample_changelogs(
                    view=stage.view,
                    topics=changelogs,
                    recorder=stage.recorder,
                    stop=background.stop,
                )
            )
        yield background


@contextmanager
def _loading(stage: Stage) -> Iterator[Background]:
    scenario = stage.scenario
    wanted = Wanted(
        spec=scenario.load,
        seed=stage.seed,
        run_id=stage.run_id,
        identify=scenario.audit.input_id or scenario.audit.id,
        client_config=stage.cluster.client_config,
        recorder=stage.recorder,
    )
    with Background(name="load") as background:
        background.start(lambda: write_load(wanted, feed=stage.feed, stop=background.stop))
        yield background


def inject(stage: Stage, *, faults: Sequence[PlannedFault], witness: Witness | None) -> None:
    """Blocks until all are over: every fault is healed then, however it ends."""
    config = stage.cluster.client_config
    with TransactionView(config) as transactions:
        run_faults(
            faults,
            scene=Scene(
                subject=stage.subject,
                view=stage.view,
                transactions=transactions,
                brokers=stage.brokers,
                roles=Roles(config),
                network=stage.network,
                wire=stage.wire,
                witness=witness,
            ),
            recorder=stage.recorder,
            progress=stage.progress,
            gap_s=stage.scenario.timing.gap_s,
            stop=None if stage.feed is None else stage.feed.over,
        )


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
