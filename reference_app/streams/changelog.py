"""Changelog topics: named and configured as Kafka Streams does, and one partition's writer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

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
from reference_app.streams.topology import AnyStore, Topology, WindowStore

_LOG = logging.getLogger(__name__)
CHANGELOG_SUFFIX = "-changelog"
_REQUEST_S = 5.0
# Kafka Streams' `windowstore.changelog.additional.retention.ms`.
_RETENTION_SLACK_MS = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True)
class ChangelogTopic:
    """`topic_id` changes when a topic is deleted and made again: offsets then mean nothing."""

    name: str
    topic_id: str
    delete_retention_s: float


Headers: TypeAlias = list[tuple[str, str | bytes | None]]


class Send(Protocol):
    """Hands one record to the producer; `on_delivery` hears what became of it."""

    def __call__(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
        headers: Headers | None = None,
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
    return f"{application_id}-{store}{CHANGELOG_SUFFIX}"


@dataclass(frozen=True, kw_only=True)
class Topics:
    """The topics of an app as they were found or made.

    `partitions` of the input; `changelogs` by store name; `outputs`: partitions by topic.
    """

    partitions: int
    changelogs: dict[str, ChangelogTopic]
    outputs: dict[str, int]


def prepare_topics(
    admin: AdminClient,
    topology: Topology,
    *,
    application_id: str,
    replication_factor: int,
    timeout_s: float,
    dead_letter_topic: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Topics:
    """Checks the input and output topics, and makes the changelogs that are missing.

    Input and outputs are never made: a misspelt name would be a new, empty topic. Raises
    ConfigurationError for what the user has to put right, BrokerUnavailableError after `timeout_s`.
    """
    deadline = clock() + timeout_s
    source = topology.source.topic
    if dead_letter_topic == source:
        raise ConfigurationError("--dead-letter-topic is the input: poison would come again")
    given = {source, *topology.output_topics, *([dead_letter_topic] if dead_letter_topic else [])}
    stores = {changelog_name(application_id, store.name): store for store in topology.stores}
    while True:
        try:
            request_s = min(max(deadline - clock(), 0.1), _REQUEST_S)
            found = _describe(admin, {*given, *stores}, request_s)
            for topic in sorted(given):
                if topic not in found:
                    raise ConfigurationError(
                        f"topic {topic!r} does not exist: create it first, or name another "
                        "(the app creates its changelogs only)"
                    )
            outputs = {topic: len(found[topic].partitions) for topic in topology.output_topics}
            check_outputs(topology, outputs)
            partitions = len(found[source].partitions)
            missing = {name: store for name, store in stores.items() if name not in found}
            if not missing:
                return Topics(
                    partitions=partitions,
                    changelogs={
                        store.name: _changelog(admin, found[name], store, partitions=partitions)
                        for name, store in stores.items()
                    },
                    outputs=outputs,
                )
            _create(admin, missing, partitions, replication_factor)
        except KafkaException as error:
            if not is_passing(error.args[0]) and not _is_unknown(error):
                raise ConfigurationError(f"topics cannot be prepared: {reason(error)}") from error
            event(_LOG, "waiting_for_broker", level=logging.WARNING, reason=reason(error))
        if clock() >= deadline:
            raise BrokerUnavailableError(
                f"topics could not be looked up or created within {timeout_s:g} s: "
                "is --bootstrap-server right, and the broker up?"
            )
        sleep(0.1)


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
            if not _is_unknown(error):
                raise
    return found


def _is_unknown(error: KafkaException) -> bool:
    """Of a topic that was just made, too: one broker knows of it before another does."""
    return bool(error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART)


def check_outputs(topology: Topology, partitions: Mapping[str, int]) -> None:
    """Refuses an output topic whose sink needs more partitions than it has."""
    for sink in (sink for processor in topology.processors for sink in processor.sinks):
        if partitions[sink.topic] < sink.least_partitions:
            raise ConfigurationError(
                f"topic {sink.topic!r} has {partitions[sink.topic]} partitions and needs "
                f"{sink.least_partitions}: give it more, or name another"
            )


def topic_config(store: AnyStore) -> dict[str, str]:
    """The settings of a store's changelog topic.

    Old windows leave the changelog by time. A record's time is when it was written, which is never
    before the stream time of its window: a backlog that is worked off is not deleted on arrival.
    """
    config = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
    if isinstance(store, WindowStore):
        config["cleanup.policy"] = "compact,delete"
        config["retention.ms"] = str(store.kept_ms + _RETENTION_SLACK_MS)
    return config


def _create(
    admin: AdminClient, stores: dict[str, AnyStore], partitions: int, replication_factor: int
) -> None:
    topics = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            config=topic_config(store),
        )
        for name, store in stores.items()
    ]
    for name, future in admin.create_topics(topics, request_timeout=_REQUEST_S).items():
        try:
            future.result()
            event(_LOG, "changelog_created", topic=name, partitions=partitions)
        except KafkaException as error:
            # Another instance was first.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _changelog(
    admin: AdminClient, topic: TopicDescription, store: AnyStore, *, partitions: int
) -> ChangelogTopic:
    if len(topic.partitions) != partitions:
        raise ConfigurationError(
            f"changelog {topic.name!r} has {len(topic.partitions)} partitions and the input "
            f"{partitions}: reset the app, or use another --application-id"
        )
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    try:
        config = admin.describe_configs([resource], request_timeout=_REQUEST_S)[resource].result()
    except KafkaException as error:
        if _is_unknown(error) or is_passing(error.args[0]):
            raise
        raise ConfigurationError(
            f"the settings of {topic.name!r} cannot be read: {reason(error)}"
        ) from error
    settings = {name: str(entry.value) for name, entry in config.items()}
    check_policy(topic.name, settings, store)
    return ChangelogTopic(
        name=topic.name,
        topic_id=str(topic.topic_id),
        delete_retention_s=int(settings["delete.retention.ms"]) / 1000,
    )


def check_policy(topic: str, settings: Mapping[str, str], store: AnyStore) -> None:
    """Refuses a topic that would delete state that is still needed, or keep windows for ever."""
    found = settings["cleanup.policy"]
    policy = {each.strip() for each in found.split(",")}
    if not isinstance(store, WindowStore):
        if policy != {"compact"}:
            raise ConfigurationError(
                f"changelog {topic!r} has cleanup.policy={found}: it must be compact, "
                "or state that is still needed would be deleted"
            )
        return
    if policy != {"compact", "delete"}:
        raise ConfigurationError(
            f"changelog {topic!r} has cleanup.policy={found}: a window store's must be "
            "compact,delete, or old windows would stay for ever"
        )
    retention_ms = int(settings["retention.ms"])
    if 0 <= retention_ms < store.kept_ms:
        raise ConfigurationError(
            f"changelog {topic!r} has retention.ms={retention_ms}, and store {store.name!r} keeps "
            f"windows for {store.kept_ms}: set it to {store.kept_ms + _RETENTION_SLACK_MS}"
        )
