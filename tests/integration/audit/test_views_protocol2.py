"""Transaction protocol v2 on a real broker: an honest life is silent, and what cannot happen there
is found where a proxy makes it so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka.errors import KafkaError

from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.transactions import check_torn
from eoscheck.audit.findings import Code
from eoscheck.logformat import Control
from tests.integration.audit.fetch_proxy import (
    Answer,
    base_offset,
    header,
    with_epoch,
    with_marker,
)
from tests.integration.audit.protocol2 import SecondProtocolProducer
from tests.integration.audit.test_views_lies import view_of
from tests.integration.audit.writing import Topics


@pytest.fixture
def topic(topics: Topics, fresh_name: Callable[[str], str]) -> str:
    return topics.create(fresh_name("out"), 2)


def write(producer: SecondProtocolProducer, topic: str, *, commit: bool) -> tuple[int, int]:
    """One record into each of two partitions."""
    left = producer.write(topic, 0, b"left")
    right = producer.write(topic, 1, b"right")
    producer.end(commit=commit)
    return left, right


def test_an_honest_life_with_an_epoch_for_each_transaction_is_silent(
    topics: Topics, topic: str
) -> None:
    with SecondProtocolProducer(topics.client_config, topic) as producer:
        for commit in (True, True, False, True, False):
            write(producer, topic, commit=commit)
        producer.write(topic, 0, b"left open")
        zombie_epoch = producer.epoch
        with SecondProtocolProducer(topics.client_config, topic) as heir:
            assert heir.epoch > zombie_epoch
            write(heir, topic, commit=True)
            with pytest.raises(KafkaError):
                producer.write(topic, 0, b"zombie")  # a broker refuses it
            write(heir, topic, commit=True)
    view, _proxy = view_of(topics, topic, partitions=(0, 1))
    assert view.checked() == Checked()
    assert check_torn([view.outcomes()], limit=10) == Checked()
    figures = view.statistics()
    assert (figures.committed, figures.aborted, figures.open) == (10, 5, 0)
    # Each had its epoch for itself, and so can be compared between partitions.
    assert [len(keys) for keys in view.outcomes().committed.values()] == [5, 5]
    assert sorted(len(keys) for keys in view.outcomes().aborted.values()) == [2, 3]


def test_a_marker_that_tears_a_transaction_is_found_by_its_epoch(
    topics: Topics, topic: str
) -> None:
    with SecondProtocolProducer(topics.client_config, topic) as producer:
        for _ in range(3):
            left, right = write(producer, topic, commit=True)

    def lie(answer: Answer) -> Answer:
        """The last transaction is aborted in the second partition, and the list says so too."""
        if not any(b"right" in batch for batch in answer.batches):
            return answer
        batches = [
            with_marker(batch, Control.ABORT) if base_offset(batch) == right + 1 else batch
            for batch in answer.batches
        ]
        return Answer(batches, [*answer.aborted, (producer.producer_id, right)])

    view, proxy = view_of(topics, topic, lie, partitions=(0, 1))
    assert proxy.lies > 0
    assert view.checked().found == []
    (found,) = check_torn([view.outcomes()], limit=10).found
    (anomaly,) = found.anomalies
    assert (found.code, anomaly.place) == (Code.TORN_TRANSACTION, (topic, 1, right))
    assert anomaly.facts["producer_id"] == producer.producer_id
    assert left == right


def test_data_of_an_ended_epoch_is_a_zombie_s(topics: Topics, topic: str) -> None:
    with SecondProtocolProducer(topics.client_config, topic) as producer:
        write(producer, topic, commit=True)
        second, _right = write(producer, topic, commit=True)

    def lie(answer: Answer) -> Answer:
        """The second transaction's data bear the epoch of the first, which its marker ended."""
        batches = [
            with_epoch(batch, int(header(batch).epoch[0]) - 1)
            if base_offset(batch) == second and b"left" in batch
            else batch
            for batch in answer.batches
        ]
        return Answer(batches, answer.aborted)

    view, proxy = view_of(topics, topic, lie, partitions=(0, 1))
    assert proxy.lies > 0
    checked = view.checked()
    assert [(found.code, found.total) for found in checked.found] == [(Code.ZOMBIE_WRITE, 1)]
    assert checked.found[0].anomalies[0].offsets == [second]
