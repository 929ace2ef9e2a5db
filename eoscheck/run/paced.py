"""One setting at a fixed rate, without faults: how long its outputs take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from eoscheck.audit.identity import parse
from eoscheck.cluster.view import ClusterView
from eoscheck.history import Recorder, read_history
from eoscheck.history.progress import Progress
from eoscheck.load import run_load
from eoscheck.measure.journeys import journeys
from eoscheck.run.background import Background
from eoscheck.run.drain import wait_drained, wait_observed
from eoscheck.run.fresh import fresh_subject, fresh_topics, require_measurable
from eoscheck.run.observer import observe_outputs
from eoscheck.run.opened import Opened
from eoscheck.run.scenario import Scenario
from eoscheck.run.setting import plain_load

_DRAIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """`rate` records a second for `warm_up_s`, which are left out, and then for `seconds`."""

    rate: float
    seconds: float
    warm_up_s: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Paced:
    """`latencies` in seconds, each from the intended send to the read_committed reader; `late_s`:
    how late the load itself was at most; `drained`: all input was committed at the end."""

    latencies: list[float]
    late_s: float
    drained: bool


def run_paced(
    scenario: Scenario, *, pace: Pace, ground: Opened, folder: Path, run_id: str, seed: int
) -> Paced:
    """A fresh application on fresh topics, which are removed again, its input among them.

    Raises UsageError or InfrastructureError where it cannot be run.
    """
    cluster = ground.cluster
    group = require_measurable(scenario)
    input_topic, output = scenario.load.topic, scenario.audit.output
    progress = Progress()
    with (
        fresh_topics(scenario, cluster=cluster, run_id=run_id, with_input=True),
        Recorder(folder) as recorder,
        ClusterView(cluster.client_config) as view,
    ):
        recorder.subscribe(progress)
        with (
            fresh_subject(
                scenario, ground=ground, recorder=recorder, folder=folder, run_id=run_id
            ) as subject,
            Background(name="observer") as observing,
        ):
            subject.start_all()
            subject.wait_ready(view=view)
            observing.start(
                lambda: observe_outputs(
                    topic=output,
                    partitions=view.partitions(output),
                    client_config=cluster.client_config,
                    identify=parse(scenario.audit.id),
                    recorder=recorder,
                    stop=observing.stop,
                )
            )
            load = run_load(
                plain_load(scenario.load, rate=pace.rate),
                seed=seed,
                run_id=run_id,
                client_config=cluster.client_config,
                recorder=recorder,
                identify=parse(scenario.audit.input_id or scenario.audit.id),
                stop=Flag(),
                duration_s=pace.warm_up_s + pace.seconds,
            )
            drained, _reason = wait_drained(
                progress=progress,
                due=progress.due,
                view=view,
                group=group,
                input_topic=input_topic,
                timeout_s=_DRAIN_S,
                now=recorder.now,
            )
            subject.raise_if_exited()
            wait_observed(progress=progress, view=view, topic=output, now=recorder.now)
    latencies = _latencies(folder, warm_up_s=pace.warm_up_s)
    recorder.path.unlink()  # megabytes, of which these are all that is used
    return Paced(latencies=latencies, late_s=load.most_late_s, drained=drained)


def _latencies(folder: Path, *, warm_up_s: float) -> list[float]:
    sent = journeys(read_history(folder))
    begin = min((journey.intended for journey in sent), default=0.0) + warm_up_s
    return [
        max(0.0, journey.seen - journey.intended)
        for journey in sent
        if journey.intended >= begin and journey.seen is not None
    ]
