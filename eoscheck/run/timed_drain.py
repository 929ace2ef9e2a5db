"""One drain of a preloaded backlog by a fresh application, timed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from eoscheck.cluster.view import ClusterView
from eoscheck.history import Recorder
from eoscheck.measure.figures import Drain
from eoscheck.run.commits import Window, committed_yet, follow_commits
from eoscheck.run.fresh import fresh_subject, fresh_topics, require_measurable
from eoscheck.run.meter import Meter, grown, log_bytes
from eoscheck.run.opened import Opened
from eoscheck.run.scenario import Scenario


def timed_drain(
    scenario: Scenario,
    *,
    label: str,
    ground: Opened,
    folder: Path,
    run_id: str,
    due: Mapping[int, int],
    window: Window,
) -> Drain:
    """`due` is what its input topic holds, one past the last offset of each partition. Everything
    that the application made is removed again.

    Raises UsageError where its commits cannot be seen, InfrastructureError where it does not drain.
    """
    cluster = ground.cluster
    group = require_measurable(scenario)
    meter = Meter(cluster)
    with (
        fresh_topics(scenario, cluster=cluster, run_id=run_id, with_input=False),
        Recorder(folder) as recorder,
        ClusterView(cluster.client_config) as view,
    ):
        recorder.subscribe(meter)
        before = log_bytes(cluster.client_config)
        with fresh_subject(
            scenario, ground=ground, recorder=recorder, folder=folder, run_id=run_id
        ) as subject:
            subject.start_all()
            drain = follow_commits(
                label=label,
                due=due,
                window=window,
                committed=lambda: committed_yet(view, group, scenario.load.topic),
                spent=meter.spent,
                check=subject.raise_if_exited,
            )
        done = sum(committed_yet(view, group, scenario.load.topic).values())
        written = grown(before, log_bytes(cluster.client_config))
    return msgspec.structs.replace(drain, broker_bytes_per_record=written / done)
