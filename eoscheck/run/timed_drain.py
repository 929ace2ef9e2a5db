"""One drain of a preloaded backlog by a fresh application, timed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from eoscheck.cluster.topics import NewTopic, create_topics
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, UsageError
from eoscheck.history import Recorder
from eoscheck.measure.figures import Drain
from eoscheck.run.commits import Window, follow_commits
from eoscheck.run.meter import Meter, grown, log_bytes
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.scenario import Scenario
from eoscheck.subject import Subject


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
    group = require_group(scenario)
    create_outputs(scenario, ground)
    meter = Meter(cluster)
    with Recorder(folder) as recorder, ClusterView(cluster.client_config) as view:
        recorder.subscribe(meter)
        subject = Subject(
            scenario.subject,
            supervisor=ground.supervisor,
            recorder=recorder,
            folder=folder,
            run_id=run_id,
            bootstrap_for=cluster.bootstrap_for,
        )
        for instance in subject.instances:
            ground.supervisor.remove_at_exit(subject.state_dir(instance))  # should we be killed
        before = log_bytes(cluster.client_config)
        try:
            subject.start_all()
            drain = follow_commits(
                label=label,
                due=due,
                window=window,
                committed=lambda: _committed(view, group, scenario.load.topic),
                spent=meter.spent,
                check=subject.raise_if_exited,
            )
        finally:
            subject.stop_all()
            subject.discard_state()
        done = sum(_committed(view, group, scenario.load.topic).values())
        written = grown(before, log_bytes(cluster.client_config))
    forget_topics(cluster, run_id)
    return msgspec.structs.replace(drain, broker_bytes_per_record=written / done)


def require_group(scenario: Scenario) -> str:
    if scenario.subject.group is None:
        raise UsageError(f"{scenario.name} needs subject.group: its commits are what is timed")
    return scenario.subject.group


def create_outputs(scenario: Scenario, ground: Opened) -> None:
    """All topics of the scenario but its input."""
    create_topics(
        ground.cluster.client_config,
        [
            NewTopic(name=name, partitions=topic.partitions, config=topic.config)
            for name, topic in scenario.topics.items()
            if name != scenario.load.topic
        ],
    )


def _committed(view: ClusterView, group: str, topic: str) -> dict[int, int]:
    try:
        return view.committed(group, topic, require_stable=False)
    except EoscheckError:
        return {}  # the group does not exist before its first commit
