"""A fresh application: its topics, its processes, and nothing of them left."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.topics import NewTopic, create_topics
from eoscheck.errors import UsageError
from eoscheck.history import Recorder
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.scenario import Scenario
from eoscheck.subject import Subject


def require_measurable(scenario: Scenario) -> str:
    """Its consumer group. Raises UsageError where its commits cannot be seen, or its topics may not
    be made and deleted."""
    if scenario.subject.group is None:
        raise UsageError(f"{scenario.name} needs subject.group: its commits are what is timed")
    if scenario.cluster.provider == "external":
        raise UsageError(
            f"{scenario.name} names an external cluster: a measure makes and deletes topics, so it "
            "needs one of its own (cluster.provider embedded or docker)"
        )
    if scenario.load.topic not in scenario.topics:
        raise UsageError(
            f'{scenario.name} needs a table [topics."{scenario.load.topic}"]: '
            "its input topic is made anew"
        )
    return scenario.subject.group


def make_topics(scenario: Scenario, *, cluster: Cluster, but: Collection[str] = ()) -> None:
    create_topics(
        cluster.client_config,
        [
            NewTopic(name=name, partitions=topic.partitions, config=topic.config)
            for name, topic in scenario.topics.items()
            if name not in but
        ],
    )


@contextmanager
def fresh_topics(
    scenario: Scenario, *, cluster: Cluster, run_id: str, with_input: bool
) -> Iterator[None]:
    """Its topics, the input among them or not. When the block is left, they are gone, and what
    else the application has made."""
    the_input = [scenario.load.topic]
    try:
        make_topics(scenario, cluster=cluster, but=() if with_input else the_input)
        yield
    finally:
        forget_topics(cluster, run_id, also=the_input if with_input else ())


@contextmanager
def fresh_subject(
    scenario: Scenario,
    *,
    ground: Opened,
    recorder: Recorder,
    folder: Path,
    run_id: str,
    spares: bool = False,
) -> Iterator[Subject]:
    """Not started yet; `spares` as Subject takes them. When the block is left, it is stopped and
    its state is gone."""
    subject = Subject(
        scenario.roles,
        supervisor=ground.supervisor,
        recorder=recorder,
        folder=folder,
        run_id=run_id,
        bootstrap_for=ground.cluster.bootstrap_for,
        spares=spares,
    )
    for instance in (*subject.instances, *subject.spares):
        ground.supervisor.remove_at_exit(subject.state_dir(instance))  # should we be killed
    try:
        yield subject
    finally:
        subject.stop_all()
        subject.discard_state()
