"""Requests to a broker, one at a time, as they are: no client stands between that would repeat one,
hide an error, or ask for a new epoch by itself. All that was said is kept as evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from kafka import errors as kafka_errors
from kafka.errors import IncompatibleBrokerVersion, KafkaError
from kafka.protocol.consumer import ListOffsetsRequest
from kafka.protocol.metadata import (
    ApiVersionsRequest,
    FindCoordinatorRequest,
    MetadataRequest,
)

from eoscheck.closing import Closing
from eoscheck.cluster.raw_client import RawClient

_LATEST = -1
_NO_EPOCH = -1
_PAUSE_S = 0.05
# A leader or coordinator moves or loads, or the transaction before is being ended: asked again.
_PASSING = frozenset({3, 5, 6, 14, 15, 16, 19, 51})
_CONCURRENT_TRANSACTIONS = 51
_FORBIDDEN = frozenset({29, 30, 31, 53})
COORDINATOR_OF_GROUP, COORDINATOR_OF_TRANSACTIONS = 0, 1


class NotExaminedError(Exception):
    """Whether the promise is kept cannot be said, and why."""


class NotSupportedError(NotExaminedError):
    """The broker knows no such request, or not in the version that is needed."""


class NotOfferedError(Exception):
    """The broker says that it does not promise this, and how."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`text` is request and answer in one line; `code` is Kafka's, 0 for none; `body` the answer.
    `offset` is that of a Produce's first record."""

    text: str
    code: int
    body: Any
    offset: int = -1

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def short(self) -> str:
        """The request by its name alone."""
        return f"{self.text.partition('(')[0]} -> {self.text.rpartition(' -> ')[2]}"

    def required(self) -> Self:
        """For what has to work before a promise can be looked at. Raises NotExaminedError."""
        if not self.ok:
            raise NotExaminedError(self.text)
        return self


class Conversation(Closing):
    """With one cluster, for one thread; a context manager. No question takes longer than
    `timeout_s`; the constructor raises InfrastructureError where nobody answers."""

    def __init__(
        self,
        client_config: Mapping[str, str],
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client_config = dict(client_config)
        self.timeout_s = timeout_s
        self.clock = clock
        self.sleep = sleep
        self.exchanges: list[str] = []
        self._client = RawClient(client_config, timeout_s=timeout_s, any_broker=True)
        self._coordinators: dict[tuple[int, str], int] = {}
        self._leaders: dict[tuple[str, int], int] = {}

    def ask(
        self,
        said: str,
        request: Callable[[], Any],
        *,
        node: Callable[[], int | None],
        code: Callable[[Any], int],
        told: Callable[[Any], str] = lambda _: "OK",
    ) -> Answer:
        """Asks `node()`, again only where the answer is "not here, not yet".

        `said` is the request and `told` the good answer, in words; `code` finds the error in it.
        Raises NotExaminedError where there is no answer, or where we may not ask.
        """
        deadline = self.clock() + self.timeout_s
        while True:
            try:
                body = self._client.ask(request(), node=node())
            except (KafkaError, OSError) as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                unknown = isinstance(error, IncompatibleBrokerVersion)
                fate = "not sent" if unknown else "no answer"
                self.exchanges.append(f"{said} -> {fate} ({reason})")
                kind = NotSupportedError if unknown else NotExaminedError
                raise kind(self.exchanges[-1]) from error
            found = code(body)
            text = f"{said} -> {error_name(found) if found else told(body)}"
            if found not in _PASSING or self.clock() >= deadline:
                break
            if found != _CONCURRENT_TRANSACTIONS:
                self._coordinators.clear()
                self._leaders.clear()
            self.sleep(_PAUSE_S)
        self.exchanges.append(text)
        if found in _FORBIDDEN:
            raise NotExaminedError(f"{text}: the right is missing")
        return Answer(text=text, code=found, body=body)

    def coordinator(self, kind: int, key: str) -> int:
        """The broker that coordinates that group or transactional id."""
        if (kind, key) not in self._coordinators:
            found = self.ask(
                f"FindCoordinator({key})",
                lambda: FindCoordinatorRequest(key=key, key_type=kind, max_version=3),
                node=lambda: None,
                code=lambda body: int(body.error_code),
                told=lambda body: f"broker {body.node_id}",
            ).required()
            self._coordinators[kind, key] = int(found.body.node_id)
        return self._coordinators[kind, key]

    def feature(self, name: str) -> int:
        """The level to which the cluster's brokers have agreed (KIP-584); 0 where they name none.
        Raises NotSupportedError where a broker tells no features."""

        def level(body: Any) -> int:
            return next((f.max_version_level for f in body.finalized_features if f.name == name), 0)

        answer = self.ask(
            f"ApiVersions({name})",
            lambda: ApiVersionsRequest(
                client_software_name="eoscheck",
                client_software_version="exam",
                min_version=3,
                max_version=4,
            ),
            node=lambda: None,
            code=lambda body: int(body.error_code),
            told=lambda body: f"{name} {level(body)}",
        )
        return level(answer.required().body)

    def leader(self, topic: str, partition: int) -> int:
        """The broker that leads the partition; the topic is created where brokers do so."""
        if (topic, partition) not in self._leaders:
            self.look_up(topic)
        return self._leaders.get((topic, partition), -1)

    def look_up(self, topic: str) -> Answer:
        """Where the topic's partitions are led. Some brokers make a topic when asked for it."""
        wanted = MetadataRequest.MetadataRequestTopic(name=topic)
        answer = self.ask(
            f"Metadata({topic})",
            lambda: MetadataRequest(
                topics=[wanted], allow_auto_topic_creation=True, min_version=4, max_version=9
            ),
            node=lambda: None,
            code=lambda body: next(each.error_code for each in body.topics if each.name == topic),
        ).required()
        for found in answer.body.topics[0].partitions:
            self._leaders[topic, found.partition_index] = found.leader_id
        return answer

    def end(self, topic: str, partition: int, *, committed: bool) -> int:
        """The last stable offset, or the high watermark."""
        listed = ListOffsetsRequest.ListOffsetsTopic
        asked = listed.ListOffsetsPartition(
            partition_index=partition, current_leader_epoch=_NO_EPOCH, timestamp=_LATEST
        )
        said = "read_committed" if committed else "read_uncommitted"
        answer = self.ask(
            f"ListOffsets({said})",
            lambda: ListOffsetsRequest(
                replica_id=-1,
                isolation_level=int(committed),
                topics=[listed(name=topic, partitions=[asked])],
                min_version=2,
                max_version=7,
            ),
            node=lambda: self.leader(topic, partition),
            code=lambda body: int(body.topics[0].partitions[0].error_code),
            told=lambda body: f"{body.topics[0].partitions[0].offset}",
        ).required()
        return int(answer.body.topics[0].partitions[0].offset)

    def until(self, holds: Callable[[], bool], *, timeout_s: float | None = None) -> bool:
        """Whether it came to hold in time. Questions that only wait are told once."""
        deadline = self.clock() + (self.timeout_s if timeout_s is None else timeout_s)
        told = len(self.exchanges)
        while not (found := holds()) and self.clock() < deadline:
            del self.exchanges[told:]
            self.sleep(_PAUSE_S)
        return found

    def close(self) -> None:
        self._client.close()


def error_name(code: int) -> str:
    """Kafka's own word for it, as FENCED_INSTANCE_ID."""
    kind = kafka_errors.for_code(code)
    return str(getattr(kind, "message", None) or f"error {code}")
