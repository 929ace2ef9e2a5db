"""What the live reader writes down of the records that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from eoscheck.audit.identity import parse
from eoscheck.errors import InfrastructureError
from eoscheck.history import OutputsObserved, Recorder, read_history
from eoscheck.run.observer import record_outputs


@dataclass(frozen=True)
class Given:
    """As the client's Message."""

    place: int
    at: int
    content: bytes = b""
    fault: KafkaError | None = None

    def partition(self) -> int:
        return self.place

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.fault

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return self.content

    def headers(self) -> None:
        return None


def record(n: int) -> bytes:
    return b'{"id": %d}' % n


def written(folder: Path, *given: Given) -> list[OutputsObserved]:
    messages: Any = given
    with Recorder(folder, clock=lambda: 0.0) as recorder:
        record_outputs(messages, topic="out", identify=parse("json:/id"), recorder=recorder)
    return [event for event in read_history(folder) if isinstance(event, OutputsObserved)]


def test_each_identity_stands_with_its_offset_by_partition(tmp_path: Path) -> None:
    first, second = written(
        tmp_path,
        Given(1, 4, record(14)),
        Given(0, 7, record(7)),
        Given(1, 6, record(16)),
        Given(1, 8, b"no identity"),
    )
    assert (first.partition, first.identities, first.offsets) == (0, [7], [7])
    assert (second.partition, second.identities, second.offsets) == (1, [14, 16], [4, 6])
    assert (second.first_offset, second.last_offset) == (4, 6)


def test_a_reader_that_is_set_back_begins_another_event(tmp_path: Path) -> None:
    before, after = written(
        tmp_path, Given(0, 5, record(5)), Given(0, 6, record(6)), Given(0, 5, record(50))
    )
    assert (before.identities, before.offsets) == ([5, 6], [5, 6])
    assert (after.identities, after.offsets) == ([50], [5])


def test_an_end_of_a_partition_says_nothing_and_a_refusal_ends_the_reading(tmp_path: Path) -> None:
    end = KafkaError(KafkaError._PARTITION_EOF)
    assert written(tmp_path, Given(0, 5, fault=end)) == []
    refusal = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(InfrastructureError, match="reading out while the run goes on"):
        written(tmp_path / "again", Given(0, 5, fault=refusal))
