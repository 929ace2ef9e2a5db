"""Topics of one test: names that no other test has, created where the cluster is ours."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping

from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.topics import NewTopic, create_topics, delete_topics


class Topics:
    """`topics("orders")` is the name of a new one. On a cluster that is not ours it is only a name:
    who owns the cluster creates it."""

    def __init__(self, cluster: Cluster, *, test: str) -> None:
        self._cluster = cluster
        self._suffix = f"{test}-{uuid.uuid4().hex[:8]}"
        self._numbers = itertools.count(1)
        self._created: list[str] = []

    def __call__(
        self, name: str = "topic", *, partitions: int = 4, config: Mapping[str, str] | None = None
    ) -> str:
        """`config` are topic properties. Raises UsageError where Kafka does not take them."""
        topic = f"{name}-{self._suffix}-{next(self._numbers)}"
        if self._cluster.owned:
            new = NewTopic(name=topic, partitions=partitions, config=config or {})
            create_topics(self._cluster.client_config, [new])
            self._created.append(topic)
        return topic

    def close(self) -> None:
        """Deletes what it created."""
        if self._created:
            delete_topics(self._cluster.client_config, self._created)
            self._created.clear()
