"""Single fetches of raw batches, over connections that are kept: for looking here and there."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import errors as kafka_errors
from kafka.errors import KafkaError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from eoscheck.closing import Closing
from eoscheck.cluster.raw_client import BrokenConnectionError, Leaders, RawClient, RawConnection
from eoscheck.cluster.raw_fetcher import FetchedPart, part_of, part_out_of_range, send_fetch
from eoscheck.errors import InfrastructureError
from eoscheck.logformat.answer import (
    Answer,
    BrokenAnswerError,
    next_offset,
    read_answer,
)

_PAUSE_S = 0.1
_OUT_OF_RANGE = kafka_errors.OffsetOutOfRangeError.errno
_UNAUTHORIZED = kafka_errors.TopicAuthorizationFailedError.errno


class _AgainError(Exception):
    """A leader moved, or a connection broke."""


class RawFetch(Closing):
    """For one thread; a context manager. Raises InfrastructureError where no broker answers within
    `timeout_s`, and for what may not be read."""

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        self._client = RawClient(client_config, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._leaders: dict[str, Leaders] = {}
        self._connections: dict[int, RawConnection] = {}

    def fetch(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        committed: bool,
        max_bytes: int = 1024 * 1024,
    ) -> FetchedPart:
        """What one request gives: the whole first batch at least, where there is one.

        `out_of_range`, with `log_start_offset`, where the log does not hold `offset`."""
        retrying = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=stop_after_delay(self._timeout_s),
            wait=wait_fixed(_PAUSE_S),
            reraise=True,
        )
        try:
            return retrying(
                self._attempt, topic, partition, offset, committed=committed, max_bytes=max_bytes
            )
        except _AgainError as error:
            raise InfrastructureError(f"{topic}-{partition} cannot be read: {error}") from error

    def _attempt(
        self, topic: str, partition: int, offset: int, *, committed: bool, max_bytes: int
    ) -> FetchedPart:
        leaders = self._leaders_of(topic)
        leader = leaders.leaders.get(partition, -1)
        try:
            answer = self._ask(
                topic, partition, offset, leader, committed=committed, max_bytes=max_bytes
            )
            found = next(each for each in answer.partitions if each.partition == partition)
            if found.error == _OUT_OF_RANGE:
                start = self._client.log_start(topic, partition, leader)
                return part_out_of_range(partition, offset, start)
        except (BrokenConnectionError, BrokenAnswerError, KafkaError, OSError) as error:
            self._forget(topic, leader)
            raise _AgainError(str(error) or type(error).__name__) from error
        except StopIteration:
            self._forget(topic, leader)
            raise _AgainError(_name(answer.error)) from None
        if found.error == _UNAUTHORIZED:
            raise InfrastructureError(
                f"{topic} may not be read: it takes the right READ on the topic"
            )
        if found.error:
            self._forget(topic, leader)
            raise _AgainError(_name(found.error))
        following = next_offset(found.records)
        return part_of(found, offset, offset if following is None else max(offset, following))

    def _leaders_of(self, topic: str) -> Leaders:
        if topic not in self._leaders:
            try:
                found = self._client.leaders(topic)
            except (KafkaError, OSError) as error:
                raise _AgainError(str(error) or type(error).__name__) from error
            if found.error == _UNAUTHORIZED:
                raise InfrastructureError(
                    f"{topic} may not be read: it takes the rights DESCRIBE and READ on the topic"
                )
            if found.error:
                raise _AgainError(_name(found.error))
            self._leaders[topic] = found
        return self._leaders[topic]

    def _ask(
        self,
        topic: str,
        partition: int,
        offset: int,
        leader: int,
        *,
        committed: bool,
        max_bytes: int,
    ) -> Answer:
        if leader < 0:
            raise BrokenConnectionError("it has no leader")
        if leader not in self._connections:
            self._connections[leader] = self._client.connect(leader)
        connection = self._connections[leader]
        number, version = send_fetch(
            connection,
            topic,
            self._leaders[topic].topic_id,
            {partition: offset},
            committed=committed,
            max_bytes=max_bytes,
        )
        answer = read_answer(connection.receive(), version=version)
        if answer.correlation_id != number:
            raise BrokenConnectionError("the answer to another request")
        return answer

    def _forget(self, topic: str, leader: int) -> None:
        self._leaders.pop(topic, None)
        connection = self._connections.pop(leader, None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections = {}
        self._client.close()


def _name(code: int) -> str:
    return str(kafka_errors.for_code(code).__name__)
