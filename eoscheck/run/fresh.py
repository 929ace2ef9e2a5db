"""A fresh application for one measurement: its topics, its processes, and nothing of them left."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from eoscheck.cluster.topics import NewTopic, create_topics
from eoscheck.errors import UsageError
from eoscheck.history import Recorder
from eoscheck.run.opened import Opened
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


def make_topics(scenario: Scenario, *, ground: Opened, but: Collection[str] = ()) -> None:
    create_topics(
        ground.cluster.client_config,
        [
            NewTopic(name=name, partitions=topic.partitions, config=topic.config)
            for name, topic in scenario.topics.items()
            if name not in but
        ],
    )


@contextmanager
def fresh_subject(
    scenario: Scenario, *, ground: Opened, recorder: Recorder, folder: Path, run_id: str
) -> Iterator[Subject]:
    """Not started yet. When the block is left, it is stopped and its state is gone."""
    subject = Subject(
        scenario.roles,
        supervisor=ground.supervisor,
        recorder=recorder,
        folder=folder,
        run_id=run_id,
        bootstrap_for=ground.cluster.bootstrap_for,
    )
    for instance in subject.instances:
        ground.supervisor.remove_at_exit(subject.state_dir(instance))  # should we be killed
    try:
        yield subject
    finally:
        subject.stop_all()
        subject.discard_state()
