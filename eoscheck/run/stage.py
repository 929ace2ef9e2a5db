"""A run while it is on: the phases from the subject's start to its stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from eoscheck.audit.identity import parse
from eoscheck.cluster.brokers import Brokers
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.roles import Roles
from eoscheck.cluster.transactions import TransactionView
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import InfrastructureError
from eoscheck.faults import PlannedFault, Scene, run_faults
from eoscheck.faults.witness import Witness
from eoscheck.history import PhaseStarted, Recorder, RunFinished
from eoscheck.history.progress import Progress
from eoscheck.network import Network
from eoscheck.run.background import Background
from eoscheck.run.drain import data_ends, wait_drained, wait_observed
from eoscheck.run.feed import Feed, Wanted, write_load
from eoscheck.run.observer import (
    RestartWatch,
    observe_outputs,
    sample_changelogs,
    sample_progress,
    watch_group,
)
from eoscheck.run.scenario import Scenario
from eoscheck.run.trace import topic_roles, tracing
from eoscheck.subject import Subject
from eoscheck.wire import Wire

SAMPLE_S = 2.0
"""A question to a broker that has just died: it is asked again, for a lag that is ten seconds old
tells nothing of how long a recovery took."""


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


def conduct(stage: Stage, *, faults: Sequence[PlannedFault], act: Act | None) -> None:
    """Load, faults, heal, drain. Where that fails, whoever made the subject has to stop it."""
    timing, recorder = stage.scenario.timing, stage.recorder
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
    with (
        ClusterView(stage.cluster.client_config, timeout_s=SAMPLE_S) as view,
        Background(name="observer") as background,
    ):
        restarts = RestartWatch(stage.subject, view=view, recorder=stage.recorder)
        stage.recorder.subscribe(restarts)
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
                view=view,
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
                    view=view,
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
                    view=view,
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
