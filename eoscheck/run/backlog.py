"""The preloaded input of drains: filled once for all that read the same topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from eoscheck.audit.identity import parse
from eoscheck.closing import Closing
from eoscheck.cluster.topics import NewTopic, create_topics, delete_topics
from eoscheck.history import Recorder
from eoscheck.history.progress import Progress
from eoscheck.load import preload
from eoscheck.run.opened import Opened
from eoscheck.run.scenario import Scenario
from eoscheck.run.setting import plain_load


@dataclass
class _Filled:
    records: int = 0
    progress: Progress = field(default_factory=Progress)


class Backlog(Closing):
    """On a cluster of ours; its topics are deleted when it is closed. A scenario whose input topic
    has `{run_id}` in its name gets a topic of its own for each run, with the same records."""

    def __init__(self, ground: Opened, *, seed: int) -> None:
        self._cluster = ground.cluster
        self._supervisor = ground.supervisor
        self._seed = seed
        self._topics: dict[str, _Filled] = {}

    def fill(self, scenario: Scenario, *, run_id: str, records: int) -> Mapping[int, int]:
        """Makes `scenario`'s input topic hold at least `records` records, and makes it where it is
        not there; returns one past the last record's offset for each partition."""
        name = scenario.load.topic
        if name not in self._topics:
            topic = scenario.topics[name]
            create_topics(
                self._cluster.client_config,
                [NewTopic(name=name, partitions=topic.partitions, config=topic.config)],
            )
            self._topics[name] = _Filled()
        filled = self._topics[name]
        missing = records - filled.records
        if missing > 0:
            with (
                TemporaryDirectory(prefix="eoscheck-backlog-") as folder,
                Recorder(Path(folder)) as recorder,
            ):
                self._supervisor.remove_at_exit(Path(folder))  # should we be killed
                recorder.subscribe(filled.progress)
                preload(
                    plain_load(scenario.load),
                    count=missing,
                    seed=self._seed + filled.records,  # what is added is no copy of what is there
                    run_id=run_id,
                    client_config=self._cluster.client_config,
                    recorder=recorder,
                    identify=parse(scenario.audit.input_id or scenario.audit.id),
                )
            filled.records = records
        return filled.progress.due

    def close(self) -> None:
        """Deletes the topics, so that a run which needs them empty can make them."""
        if self._topics:
            delete_topics(self._cluster.client_config, list(self._topics))
            self._topics.clear()
