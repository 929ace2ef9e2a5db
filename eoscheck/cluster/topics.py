"""Creating and deleting topics: only on clusters of our own, or where the user asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import cimpl as librdkafka
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
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

    def __post_init__(self) -> None:
        if self.partitions < 1:
            raise UsageError(f"topic {self.name!r} needs at least 1 partition: {self.partitions}")


def create_topics(
    client_config: Mapping[str, str], topics: Sequence[NewTopic], *, timeout_s: float = 30.0
) -> None:
    """Creates them and waits until the leader of every partition answers.

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
    _wait(lambda: _leaders_answer(admin, topics), f"some leader of {names} silent", timeout_s)


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


def _leaders_answer(admin: AdminClient, topics: Sequence[NewTopic]) -> bool:
    """Asked of the leaders themselves: they take up a new partition a moment after they, and
    everybody else, were told of it."""
    question = {
        TopicPartition(topic.name, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for topic in topics
        for number in range(topic.partitions)
    }
    try:
        for answer in admin.list_offsets(question).values():
            answer.result()
    except KafkaException:
        return False
    return True


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
