"""What the reading of raw batches makes of each thing that a leader may say, or not say."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from kafka import errors as kafka_errors
from kafka.protocol.consumer import FetchResponse

from eoscheck.cluster.raw_client import BrokenConnectionError, Leaders
from eoscheck.cluster.raw_log import FetchedPart, Reading
from eoscheck.errors import InfrastructureError
from eoscheck.logformat.answer import BY_ID
from tests.unit.logformat.wire import Written, batch

Said = dict[int, Any]
"""By partition: an error's code, or the bytes of batches."""
Answer = Callable[[int, Said], bytes]


def said(number: int, partitions: Said, *, error: int = 0, stable: int = 100) -> bytes:
    topic = FetchResponse.FetchableTopicResponse
    answer = FetchResponse(
        throttle_time_ms=0,
        error_code=error,
        session_id=0,
        responses=[
            topic(
                topic_id=UUID(int=1),
                partitions=[
                    topic.PartitionData(
                        partition_index=partition,
                        error_code=it if isinstance(it, int) else 0,
                        high_watermark=100,
                        last_stable_offset=stable,
                        log_start_offset=0,
                        aborted_transactions=None,
                        preferred_read_replica=-1,
                        records=None if isinstance(it, int) else it,
                    )
                    for partition, it in partitions.items()
                ],
            )
        ],
    )
    answer.API_VERSION = BY_ID
    answer.with_header(correlation_id=number)
    return bytes(answer.encode(header=True))


class Connection:
    """Answers each request by the script: bytes, or an exception that breaks it."""

    version = BY_ID

    def __init__(self, client: Client) -> None:
        self._client = client
        self._here, self._there = socket.socketpair()
        self._number = 0
        self.asked: dict[int, int] = {}

    def fileno(self) -> int:
        return self._here.fileno()

    def waits(self) -> bool:
        return False

    def send(self, request: Any, *, version: int) -> int:
        assert version == BY_ID
        self._number += 1
        (topic,) = request.topics
        self.asked = {each.partition: each.fetch_offset for each in topic.partitions}
        self._client.requests.append(self.asked)
        self._there.send(b".")
        return self._number

    def receive(self) -> memoryview:
        self._here.recv(1)
        answer = next(self._client.script)(self._number, self.asked)
        return memoryview(answer)

    def close(self) -> None:
        self._here.close()
        self._there.close()


class Client:
    """One leader, node 1; `found` are the answers to who leads."""

    def __init__(self, script: Iterator[Answer], found: Sequence[Leaders] = ()) -> None:
        self.script = script
        self.requests: list[dict[int, int]] = []
        self.asked_for_leaders = 0
        self._found = list(found) or [leaders()]
        self.start = 0

    def leaders(self, topic: str) -> Leaders:
        self.asked_for_leaders += 1
        return self._found.pop(0) if len(self._found) > 1 else self._found[0]

    def connect(self, node: int) -> Connection:
        assert node == 1
        return Connection(self)

    def log_start(self, topic: str, partition: int, leader: int) -> int:
        return self.start


def leaders(topic_id: int = 1, error: int = 0) -> Leaders:
    return Leaders(topic_id=UUID(int=topic_id), leaders={0: 1, 1: 1}, error=error)


def run(
    client: Client, spans: dict[int, tuple[int, int]] | None = None, *, silence_s: float = 30.0
) -> list[FetchedPart]:
    reading = Reading(
        client,  # type: ignore[arg-type]
        "t",
        spans or {0: (0, 2)},
        committed=True,
        answer_bytes=1_000,
        silence_s=silence_s,
        grace_s=0.3,
    )
    with reading:
        return list(reading)


def _batch(base: int) -> bytes:
    return batch([Written()], base=base)


def gives(**partitions: Any) -> Answer:
    """`p0=...`: what is said of partition 0."""
    return lambda number, _asked: said(
        number, {int(name[1:]): it for name, it in partitions.items()}
    )


def breaks(_number: int, _asked: Said) -> bytes:
    raise BrokenConnectionError("gone")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "code",
    [
        kafka_errors.NotLeaderForPartitionError.errno,
        kafka_errors.LeaderNotAvailableError.errno,
        kafka_errors.FencedLeaderEpochError.errno,
        kafka_errors.UnknownLeaderEpochError.errno,
        kafka_errors.OffsetNotAvailableError.errno,
        kafka_errors.KafkaStorageError.errno,
        kafka_errors.UnknownTopicOrPartitionError.errno,
        100,  # unknown topic id: a broker that has just come back
    ],
)
def test_a_leader_that_moves_or_is_not_ready_is_asked_again(code: int) -> None:
    client = Client(iter([gives(p0=_batch(0)), gives(p0=code), gives(p0=_batch(1))]))
    assert [part.next_offset for part in run(client)] == [1, 2]
    assert client.requests == [{0: 0}, {0: 1}, {0: 1}]
    assert client.asked_for_leaders == 2


@pytest.mark.thorough
@pytest.mark.parametrize(
    "bad",
    [
        breaks,
        lambda number, _asked: said(number + 5, {0: _batch(0)}),  # another request's answer
        lambda number, _asked: struct.pack(">i", number) + b"\x00\xff\xff",  # none at all
        lambda number, _asked: said(number, {}, error=6),
    ],
)
def test_a_broken_answer_costs_a_connection_and_nothing_else(bad: Answer) -> None:
    client = Client(iter([bad, gives(p0=_batch(0)), bad, gives(p0=_batch(1))]))
    assert [part.next_offset for part in run(client)] == [1, 2]


def test_another_topic_of_the_same_name_is_not_read() -> None:
    script = iter([gives(p0=_batch(0)), gives(p0=100)])
    with pytest.raises(InfrastructureError, match="deleted and created again"):
        run(Client(script, [leaders(1), leaders(2)]))


@pytest.mark.thorough
def test_a_deleted_topic_is_said_to_be_deleted_after_a_while() -> None:
    script = iter([gives(p0=_batch(0)), gives(p0=100)])
    with pytest.raises(InfrastructureError, match=r"^t was deleted while it was read$"):
        run(Client(script, [leaders(), leaders(error=3)]))


@pytest.mark.parametrize("first", [leaders(error=29), leaders()])
def test_what_may_not_be_read_is_named_at_once(first: Leaders) -> None:
    with pytest.raises(InfrastructureError, match=r"^t may not be read: .*READ"):
        run(Client(iter([gives(p0=29)]), [first]))


def test_an_error_that_will_not_pass_is_named() -> None:
    with pytest.raises(InfrastructureError, match="cannot read t: UnsupportedVersion"):
        run(Client(iter([gives(p0=35)])))


def test_a_partition_that_others_starve_comes_first_in_the_next_request() -> None:
    script = iter(
        [
            gives(p0=_batch(0), p1=b""),
            lambda number, asked: said(number, {next(iter(asked)): _batch(0)}),
            gives(p0=_batch(1)),
        ]
    )
    client = Client(script)
    parts = run(client, {0: (0, 2), 1: (0, 1)})
    assert [list(asked) for asked in client.requests[:2]] == [[0, 1], [1, 0]]
    assert [(part.partition, part.next_offset) for part in parts] == [(0, 1), (1, 1), (0, 2)]


def test_a_leader_that_sends_no_whole_batch_is_not_asked_for_ever() -> None:
    with pytest.raises(InfrastructureError, match="is no whole batch"):
        run(Client(iter([gives(p0=_batch(0)[:-1])] * 50)))


def test_a_batch_that_leads_back_is_not_read_for_ever() -> None:
    script = iter([gives(p0=_batch(0)), *[gives(p0=_batch(0))] * 50])
    with pytest.raises(InfrastructureError, match="is no whole batch"):
        run(Client(script))


@pytest.mark.thorough
def test_records_that_are_there_and_not_given_end_in_silence() -> None:
    script = iter([gives(p0=b"")] * 100_000)
    with pytest.raises(
        InfrastructureError, match=r"gave nothing for 0\.4 s at offset 0.*none given"
    ):
        run(Client(script), silence_s=0.4)


def test_an_end_that_was_cut_off_is_no_start_that_moved() -> None:
    with pytest.raises(InfrastructureError, match="its end was cut off"):
        run(Client(iter([gives(p0=1)])), {0: (5, 9)})


def test_a_start_that_moved_is_told_and_read_from() -> None:
    client = Client(iter([gives(p0=1), gives(p0=_batch(7))]))
    client.start = 7
    first, second = run(client, {0: (5, 8)})
    assert (first.out_of_range, first.fetch_offset, first.next_offset) == (True, 5, 7)
    assert (second.fetch_offset, second.next_offset) == (7, 8)
