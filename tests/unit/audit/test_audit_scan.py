"""The reading loop against a scripted client: it ends where it should, and never hangs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from eoscheck.audit.readers.scan import Reached, Span, read_committed
from eoscheck.audit.rows.records import Content
from eoscheck.errors import InfrastructureError


@dataclass
class Delivered:
    """What librdkafka hands out: a record, or an error at an offset."""

    at: int
    number: int = 0
    failure: KafkaError | None = None

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.failure

    def key(self) -> bytes:
        return b"%d" % self.at

    def value(self) -> None:
        return None

    def headers(self) -> list[tuple[str, bytes]]:
        return [("h", b"1")]


def end(at: int, number: int = 0) -> Delivered:
    return Delivered(at, number, KafkaError(KafkaError._PARTITION_EOF))


def failure(code: int) -> Delivered:
    return Delivered(-1001, 0, KafkaError(code))


@dataclass
class Client:
    """Gives one batch at each call, then nothing; each call takes a second of the clock."""

    batches: list[list[Delivered]]
    log_start: int = 0
    now: float = 0.0
    assigned: list[TopicPartition] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def list_topics(self, topic: str, timeout: float) -> None: ...

    def assign(self, places: list[TopicPartition]) -> None:
        self.assigned = places

    def unassign(self) -> None:
        self.assigned = []

    def incremental_unassign(self, places: list[TopicPartition]) -> None: ...

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.assigned += places

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        return self.log_start, 100

    def consume(self, num_messages: int, timeout: float) -> list[Delivered]:
        self.now += 1.0
        return self.batches.pop(0) if self.batches else []


@dataclass
class Collected:
    offsets: list[tuple[int, int]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    def add(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        assert len(partitions) == len(offsets) == len(contents) > 0
        self.offsets += zip(partitions, offsets, strict=True)
        self.headers += [headers for _key, _value, headers in contents]


def read(client: Client, *spans: Span, **options: Any) -> tuple[dict[int, Reached], Collected]:
    collected = Collected()
    reached = read_committed(
        "t",
        dict(enumerate(spans)),
        consumer=client,  # type: ignore[arg-type]
        sink=collected,
        clock=client.clock,
        **options,
    )
    return reached, collected


def test_a_partition_is_done_when_the_position_reaches_the_cut_past_control_records() -> None:
    client = Client([[Delivered(0), Delivered(1)], [end(4)]])
    reached, collected = read(client, Span(start=0, cut=4))
    assert (reached[0].position, reached[0].held) == (4, False)
    assert collected.offsets == [(0, 0), (0, 1)]
    assert client.now == 2.0


def test_records_beyond_the_cut_end_the_reading_and_are_left_out() -> None:
    client = Client([[Delivered(0), Delivered(5), Delivered(6)]])
    reached, collected = read(client, Span(start=0, cut=3))
    assert not reached[0].held
    assert collected.offsets == [(0, 0)]
    assert client.now == 1.0


def test_empty_partitions_are_not_waited_for() -> None:
    client = Client([])
    reached, collected = read(client, Span(start=7, cut=7), Span(start=0, cut=0))
    assert client.now == 0.0
    assert not any(each.held for each in reached.values())
    assert collected.offsets == []


def test_an_end_below_the_cut_is_waited_on_for_the_patience_and_no_longer() -> None:
    client = Client([[Delivered(0), end(1), end(9, 1)]])
    reached, _collected = read(client, Span(start=0, cut=4), Span(start=0, cut=9), patience_s=5.0)
    assert (reached[0].position, reached[0].held, reached[1].held) == (1, True, False)
    assert client.now <= 8.0


def test_each_step_ahead_gives_the_holder_new_patience() -> None:
    client = Client([[end(1)], [], [], [Delivered(1), end(2)], [], [], [end(4)]])
    reached, _collected = read(client, Span(start=0, cut=4), patience_s=3.5)
    assert not reached[0].held


def test_an_end_that_newer_records_overtook_is_no_end() -> None:
    """Else a short patience would give up on a partition that still delivers."""
    client = Client([[Delivered(3), end(1)], [], [], [end(6)]])
    reached, _collected = read(client, Span(start=0, cut=6), patience_s=0.5)
    assert not reached[0].held


def test_a_silent_partition_is_an_error_within_a_bound() -> None:
    client = Client([[Delivered(0)]])
    with pytest.raises(InfrastructureError, match=r"t-0 gave nothing for 60 s at offset 1"):
        read(client, Span(start=0, cut=4))
    assert client.now < 70
    assert client.assigned == []


def test_broker_failures_pass_and_refusals_do_not() -> None:
    passing = [failure(KafkaError._ALL_BROKERS_DOWN), failure(KafkaError._TRANSPORT)]
    reached, _collected = read(Client([passing, [end(4)]]), Span(start=0, cut=4))
    assert not reached[0].held
    with pytest.raises(InfrastructureError, match="cannot read t"):
        read(Client([[failure(KafkaError.TOPIC_AUTHORIZATION_FAILED)]]), Span(start=0, cut=4))


def test_a_range_deleted_under_the_reader_is_noted_and_skipped() -> None:
    gone = failure(KafkaError._AUTO_OFFSET_RESET)
    client = Client([[Delivered(0)], [gone], [Delivered(6), end(9)]], log_start=6)
    reached, collected = read(client, Span(start=0, cut=9))
    assert (reached[0].lost_below, reached[0].held) == (6, False)
    assert collected.offsets == [(0, 0), (0, 6)]
    assert [place.offset for place in client.assigned] == []


def test_headers_are_asked_for_only_where_they_are_needed() -> None:
    for wanted, given in ((False, [None]), (True, [[("h", b"1")]])):
        client = Client([[Delivered(0)]])
        _reached, collected = read(client, Span(start=0, cut=1), with_headers=wanted)
        assert collected.headers == given


def test_progress_counts_offsets_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    client = Client([[Delivered(2)], [end(6), end(12, 1)]])
    read(
        client,
        Span(start=2, cut=6),
        Span(start=2, cut=12),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 14), (14, 14)]
