"""Read-only questions to a cluster: nothing is created, committed or joined."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    OffsetSpec,
    TopicDescription,
)

from eoscheck.closing import Closing
from eoscheck.cluster.connection import (
    QUIET,
    admin_client,
    ask_again,
    error_code,
    error_text,
    told_offset,
    while_moving,
)
from eoscheck.cluster.groups import Group, GroupHiddenError, GroupView, Member
from eoscheck.errors import InfrastructureError, UsageError, did_you_mean

_T = TypeVar("_T")
_NO_SUCH_TOPIC = frozenset(
    {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION}  # the latter: a bad name
)
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_SHORT_S = 2.0


class UnstableOffsetsError(InfrastructureError):
    """A transaction still holds offsets of the group: their outcome is open."""


class ClusterView(Closing):
    """Answers about topics and groups; every answer within `timeout_s`, or an InfrastructureError
    with one line, where that ran out up to 2 s later. Safe to use from several threads.
    """

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        """`client_config`: librdkafka properties, `bootstrap.servers` included.

        Raises InfrastructureError at once where no bootstrap server takes a connection.
        """
        self._config = {"client.id": "eoscheck", **client_config}
        self._timeout_s = timeout_s
        self._admin = admin_client(self._config, timeout_s=timeout_s)
        self._groups = GroupView(self._config, timeout_s=timeout_s)
        self._readers: dict[tuple[str, bool], Consumer] = {}
        self._lock = threading.Lock()

    def topics(self) -> list[str]:
        """Names of all topics that we may see, in alphabetical order."""
        try:
            return sorted(self._admin.list_topics(timeout=self._timeout_s).topics)
        except KafkaException as error:
            raise self._failed("the names of the topics", error) from error

    def partitions(self, topic: str) -> list[int]:
        """Its partition numbers. Raises UsageError where there is no such topic."""
        return sorted(partition.id for partition in self._describe_topic(topic).partitions)

    def topic_id(self, topic: str) -> str:
        """Another one after it was deleted and created again (KIP-516); brokers before 2.8 know
        none, and give all topics the same. Raises UsageError where there is no such topic."""
        return str(self._describe_topic(topic).topic_id)

    def log_starts(self, topic: str) -> dict[int, int]:
        """The first offset that is still there, by partition."""
        return self._offsets(topic, _EARLIEST, IsolationLevel.READ_UNCOMMITTED)

    def high_watermarks(self, topic: str) -> dict[int, int]:
        """The end by partition: the offset after the last replicated record, committed or not."""
        return self._offsets(topic, _LATEST, IsolationLevel.READ_UNCOMMITTED)

    def last_stable_offsets(self, topic: str) -> dict[int, int]:
        """Up to where a `read_committed` consumer may read: the first open transaction's begin."""
        return self._offsets(topic, _LATEST, IsolationLevel.READ_COMMITTED)

    def offsets_at(self, topic: str, time_ms: int) -> dict[int, int]:
        """The first offset with that Unix time in milliseconds, or a later one, by partition; those
        that have none are left out."""
        spec: OffsetSpec = OffsetSpec.for_timestamp(time_ms)
        found = self._offsets(topic, spec, IsolationLevel.READ_UNCOMMITTED)
        return {partition: offset for partition, offset in found.items() if offset >= 0}

    def committed(
        self,
        group: str,
        topic: str,
        *,
        require_stable: bool = True,
        timeout_s: float | None = None,
    ) -> dict[int, int]:
        """The group's committed offsets by partition; those without one are left out.

        `require_stable` (KIP-447) waits, at most `timeout_s`, while an open transaction holds
        offsets of the group, and raises UnstableOffsetsError where that does not end.
        Raises UsageError where there is no such group.
        """
        wanted = [TopicPartition(topic, partition) for partition in self.partitions(topic)]
        patience = self._timeout_s if timeout_s is None else timeout_s
        try:
            found = self._fetch_offsets(group, wanted, require_stable, patience)
        except KafkaException as error:
            timed_out = error_code(error) == KafkaError._TIMED_OUT  # noqa: SLF001
            if require_stable and timed_out and self._answers_unstable(group, wanted):
                raise UnstableOffsetsError(
                    f"offsets of group {group!r} were held by an open transaction "
                    f"for longer than {patience:g} s"
                ) from error
            raise self._failed(f"the offsets of group {group!r}", error) from error
        offsets = {entry.partition: entry.offset for entry in found if entry.offset >= 0}
        if not offsets:
            self._require_group(group)
        return offsets

    def groups(self) -> list[str]:
        """Names of all consumer groups that we may see, in alphabetical order."""

        def whole_list() -> list[str]:
            listing = self._admin.list_consumer_groups(**self._limit).result()
            for failure in listing.errors:  # a broker that did not answer: the list may be short
                raise KafkaException(failure)
            return sorted(group.group_id for group in listing.valid)

        try:
            return while_moving(whole_list, timeout_s=self._timeout_s)
        except KafkaException as error:
            raise self._failed("the names of the groups", error) from error

    def group_members(self, group: str) -> list[Member]:
        """Raises UsageError where there is no such group."""
        return self._describe_group(group).members

    def group_state(self, group: str) -> str:
        """Kafka's word in lower case: `stable`, `empty`, `preparingrebalance`, ...

        Raises UsageError where there is no such group.
        """
        return self._describe_group(group).state.lower()

    def close(self) -> None:
        self._groups.close()
        with self._lock:
            readers = list(self._readers.values())
            self._readers.clear()
        for reader in readers:
            reader.close()

    @property
    def _servers(self) -> str:
        return self._config["bootstrap.servers"]

    @property
    def _limit(self) -> dict[str, float]:
        return {"request_timeout": self._timeout_s}

    def _reader(self, group: str, require_stable: bool) -> Consumer:
        """A consumer that never subscribes, and so joins nothing.

        Not the admin client's question for committed offsets: where the coordinator moves
        meanwhile, that one crashes the whole process (librdkafka issue 5040, in 2.16 too).
        """
        with self._lock:
            key = (group, require_stable)
            if key not in self._readers:
                isolation = "read_committed" if require_stable else "read_uncommitted"
                self._readers[key] = Consumer(
                    {
                        **self._config,
                        **QUIET,
                        "group.id": group,
                        "isolation.level": isolation,
                        "enable.auto.commit": False,
                    }
                )
            return self._readers[key]

    def _fetch_offsets(
        self, group: str, wanted: list[TopicPartition], require_stable: bool, timeout_s: float
    ) -> list[TopicPartition]:
        reader = self._reader(group, require_stable)

        def ask(patience_s: float) -> list[TopicPartition]:
            return while_moving(
                lambda: reader.committed(wanted, timeout=patience_s), timeout_s=patience_s
            )

        try:
            return ask(min(timeout_s, _SHORT_S))
        except KafkaException as error:
            if error_code(error) != KafkaError._TIMED_OUT:  # noqa: SLF001
                raise
            self._refuse_hidden(group)
            if timeout_s <= _SHORT_S:
                raise
        return ask(timeout_s - _SHORT_S)

    def _refuse_hidden(self, group: str) -> None:
        """Where we may not know of the group, librdkafka asks for its offsets again and again."""
        try:
            self._groups.describe(group)
        except GroupHiddenError as error:
            raise self._refused(f"the offsets of group {group!r}", str(error)) from error
        except InfrastructureError:
            return  # it is away: who asked for the offsets goes on waiting for them

    def _answers_unstable(self, group: str, wanted: list[TopicPartition]) -> bool:
        """The client says "timed out" of a broker that is away too."""
        try:
            self._fetch_offsets(group, wanted, False, min(self._timeout_s, _SHORT_S))
        except KafkaException:
            return False
        return True

    def _offsets(self, topic: str, spec: OffsetSpec, isolation: IsolationLevel) -> dict[int, int]:
        question = {TopicPartition(topic, number): spec for number in self.partitions(topic)}

        def ask() -> dict[int, int]:
            answers = self._admin.list_offsets(question, isolation_level=isolation, **self._limit)
            return {
                entry.partition: told_offset(answer.result().offset)
                for entry, answer in answers.items()
            }

        try:
            return while_moving(ask, timeout_s=self._timeout_s)
        except KafkaException as error:
            raise self._failed(f"the offsets of topic {topic!r}", error) from error

    def _describe_topic(self, topic: str) -> TopicDescription:
        question = TopicCollection([topic])
        try:
            # Unlike a producer's metadata request this one never creates the topic.
            description: TopicDescription = self._answer(
                lambda limit_s: self._admin.describe_topics(question, request_timeout=limit_s)[
                    topic
                ]
            )
        except KafkaException as error:
            if error_code(error) not in _NO_SUCH_TOPIC:
                raise self._failed(f"the partitions of topic {topic!r}", error) from error
            hint = did_you_mean(topic, self.topics())
            raise UsageError(f"no such topic {topic!r} on {self._servers}{hint}") from None
        return description

    def _describe_group(self, group: str) -> Group:
        try:
            found = self._groups.describe(group)
        except InfrastructureError as error:
            raise self._refused(f"the members of group {group!r}", str(error)) from error
        if found is None:
            raise self._no_such_group(group)
        return found

    def _require_group(self, group: str) -> None:
        if group not in self.groups():
            raise self._no_such_group(group)

    def _no_such_group(self, group: str) -> UsageError:
        hint = did_you_mean(group, self.groups())
        return UsageError(f"no such consumer group {group!r} on {self._servers}{hint}")

    def _answer(self, ask: Callable[[float], Future[_T]]) -> _T:
        return ask_again(self._admin, ask, timeout_s=self._timeout_s)

    def _failed(self, what: str, error: KafkaException) -> InfrastructureError:
        if error_code(error) == KafkaError._TIMED_OUT:  # noqa: SLF001
            self._renew()
        return self._refused(what, error_text(error))

    def _renew(self) -> None:
        """librdkafka waits for a controller that has died for as long as it is away, question after
        question, though there is a new one: a new client asks who it is."""
        with suppress(InfrastructureError):  # nobody is there: the one that we have will do
            self._admin = admin_client(self._config, timeout_s=min(self._timeout_s, _SHORT_S))

    def _refused(self, what: str, reason: str) -> InfrastructureError:
        return InfrastructureError(f"{self._servers} did not give {what}: {reason}")
