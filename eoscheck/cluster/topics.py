"""Creating and deleting topics: only on clusters of our own, or where the user asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka import cimpl as librdkafka
from confluent_kafka.admin import AdminClient
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.cluster.connection import admin_client, error_code, error_text
from eoscheck.errors import InfrastructureError, UsageError

_LOOK_EVERY_S = 0.02
_REFUSALS = frozenset(
    {
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.TOPIC_ALREADY_EXISTS,
        KafkaError.TOPIC_EXCEPTION,  # a bad name
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


@dataclass(frozen=True, kw_only=True)
class NewTopic:
    """`config` as `kafka-topics --config` takes it. `replication_factor` None: the broker's."""

    name: str
    partitions: int = 1
    replication_factor: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)


def create_topics(
    client_config: Mapping[str, str], topics: Sequence[NewTopic], *, timeout_s: float = 30.0
) -> None:
    """Creates them and waits until every partition has a leader.

    Raises UsageError for a topic that is there already, or that the broker does not accept.
    """
    admin = admin_client(client_config, timeout_s=timeout_s)
    wanted = [
        librdkafka.NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.replication_factor or -1,
            config=dict(topic.config),
        )
        for topic in topics
    ]
    _check(admin.create_topics(wanted, request_timeout=timeout_s), "created")
    names = [topic.name for topic in topics]
    _wait(
        lambda: _leaders_known(admin, names), f"no leader for every partition of {names}", timeout_s
    )


def delete_topics(
    client_config: Mapping[str, str], names: Sequence[str], *, timeout_s: float = 30.0
) -> None:
    """Deletes them and waits until nobody is told of them any more.

    Raises UsageError for a topic that is not there.
    """
    admin = admin_client(client_config, timeout_s=timeout_s)
    _check(admin.delete_topics(list(names), request_timeout=timeout_s), "deleted")
    gone = set(names)
    _wait(
        lambda: gone.isdisjoint(admin.list_topics(timeout=timeout_s).topics),
        f"{list(names)} still there",
        timeout_s,
    )


def _check(answers: Mapping[str, Future[None]], done: str) -> None:
    for name, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            kind = UsageError if error_code(error) in _REFUSALS else InfrastructureError
            raise kind(f"topic {name!r} was not {done}: {error_text(error)}") from error


def _leaders_known(admin: AdminClient, names: Sequence[str]) -> bool:
    """Asked of the brokers, which hear of a new topic a moment after the controller."""
    try:
        answers = admin.describe_topics(TopicCollection(list(names)))
        topics = [answer.result() for answer in answers.values()]
    except KafkaException:
        return False
    return all(partition.leader is not None for topic in topics for partition in topic.partitions)


def _wait(holds: Callable[[], bool], otherwise: str, timeout_s: float) -> None:
    retrying = Retrying(
        retry=retry_if_result(lambda answer: not answer),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(_LOOK_EVERY_S),
    )
    try:
        retrying(holds)
    except RetryError:
        raise InfrastructureError(f"{otherwise} after {timeout_s:g} s") from None
