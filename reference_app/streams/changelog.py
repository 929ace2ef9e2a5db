"""Changelog topics: named and configured as Kafka Streams does, and one partition's writer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicDescription,
)

from reference_app.streams.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    is_passing,
    reason,
)
from reference_app.streams.logs import event
from reference_app.streams.store import Writes
from reference_app.streams.topology import Topology

_LOG = logging.getLogger(__name__)
_REQUEST_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ChangelogTopic:
    """`topic_id` changes when a topic is deleted and made again: offsets then mean nothing."""

    name: str
    topic_id: str
    delete_retention_s: float


class Send(Protocol):
    """Hands one record to the producer; `on_delivery` hears what became of it."""

    def __call__(
        self,
        topic: str,
        value: bytes | None,
        key: bytes,
        partition: int = -1,
        on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None: ...


class Changelog:
    """The changelog partition of one store of one task."""

    def __init__(self, topic: ChangelogTopic, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self._end: int | None = None

    def append(self, send: Send, writes: Writes) -> None:
        """One record for each write, into the task's own partition whatever the key's hash.

        Only the last record's delivery is asked for: one producer keeps one partition's order, so
        all the others stand before it.
        """
        self._end = None
        topic, partition = self.topic.name, self.partition
        for key, value in writes[:-1]:
            send(topic, value, key, partition)
        for key, value in writes[-1:]:
            send(topic, value, key, partition, self._delivered)

    @property
    def end(self) -> int | None:
        """The offset after the last `append`, once flushed; None where it is not known."""
        return self._end

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        # A batch that a retry found already written is acknowledged without an offset.
        if error is None and offset is not None and offset >= 0:
            self._end = offset + 1


def changelog_name(application_id: str, store: str) -> str:
    return f"{application_id}-{store}-changelog"


@dataclass(frozen=True, kw_only=True)
class Topics:
    """The topics of an app as they were found or made."""

    partitions: int
    changelogs: dict[str, ChangelogTopic]
    """By store name."""


def prepare_topics(
    admin: AdminClient,
    topology: Topology,
    *,
    application_id: str,
    replication_factor: int,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Topics:
    """Checks the input and output topics, and makes the changelogs that are missing.

    Input and outputs are never made: a misspelt name would be a new, empty topic. Raises
    ConfigurationError for what the user has to put right, BrokerUnavailableError after `timeout_s`.
    """
    deadline = clock() + timeout_s
    source = topology.source.topic
    names = {s.name: changelog_name(application_id, s.name) for s in topology.stores}
    while True:
        try:
            request_s = min(max(deadline - clock(), 0.1), _REQUEST_S)
            wanted = {source, *topology.output_topics, *names.values()}
            found = _describe(admin, wanted, request_s)
            for topic in (source, *topology.output_topics):
                if topic not in found:
                    raise ConfigurationError(
                        f"topic {topic!r} does not exist: create it first, or name another "
                        "(the app creates its changelogs only)"
                    )
            partitions = len(found[source].partitions)
            missing = [name for name in names.values() if name not in found]
            if not missing:
                break
            _create(admin, missing, partitions, replication_factor)
        except KafkaException as error:
            if not is_passing(error.args[0]):
                raise ConfigurationError(f"topics cannot be prepared: {reason(error)}") from error
            event(_LOG, "waiting_for_broker", level=logging.WARNING, reason=reason(error))
        if clock() >= deadline:
            raise BrokerUnavailableError(
                f"topics could not be looked up or created within {timeout_s:g} s: "
                "is --bootstrap-server right, and the broker up?"
            )
        sleep(0.1)
    changelogs = {
        store: _changelog(admin, found[name], partitions=partitions)
        for store, name in names.items()
    }
    return Topics(partitions=partitions, changelogs=changelogs)


def _describe(
    admin: AdminClient, topics: Iterable[str], request_s: float
) -> dict[str, TopicDescription]:
    """Those of `topics` that exist. Unlike a metadata request it never creates one."""
    futures = admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=request_s)
    found = {}
    for name, future in futures.items():
        try:
            found[name] = future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return found


def _create(admin: AdminClient, names: list[str], partitions: int, replication_factor: int) -> None:
    topics = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            config={"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"},
        )
        for name in names
    ]
    for name, future in admin.create_topics(topics, request_timeout=_REQUEST_S).items():
        try:
            future.result()
            event(_LOG, "changelog_created", topic=name, partitions=partitions)
        except KafkaException as error:
            # Another instance was first.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _changelog(admin: AdminClient, topic: TopicDescription, *, partitions: int) -> ChangelogTopic:
    if len(topic.partitions) != partitions:
        raise ConfigurationError(
            f"changelog {topic.name!r} has {len(topic.partitions)} partitions and the input "
            f"{partitions}: reset the app, or use another --application-id"
        )
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    try:
        config = admin.describe_configs([resource], request_timeout=_REQUEST_S)[resource].result()
    except KafkaException as error:
        raise ConfigurationError(
            f"the settings of {topic.name!r} cannot be read: {reason(error)}"
        ) from error
    policy = config["cleanup.policy"].value
    if policy != "compact":
        raise ConfigurationError(
            f"changelog {topic.name!r} has cleanup.policy={policy}: it must be compact, "
            "or state that is still needed would be deleted"
        )
    return ChangelogTopic(
        name=topic.name,
        topic_id=str(topic.topic_id),
        delete_retention_s=int(config["delete.retention.ms"].value) / 1000,
    )
