"""Ranges on a real topic: times are looked up, and a group's offsets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from eoscheck.audit.ranges import Committed, Ranges, Time, output_starts, resolve
from eoscheck.cluster import Cluster, ClusterView
from eoscheck.errors import UsageError
from tests.integration.audit.writing import Topics


@pytest.fixture
def view(cluster: Cluster) -> Iterator[ClusterView]:
    with ClusterView(cluster.client_config) as made:
        yield made


@pytest.fixture
def timed(topics: Topics, topic_name: str) -> str:
    """Three partitions: records of the seconds 100 to 109, of 105 to 109, and none."""
    topics.create(topic_name, 3)
    producer = Producer({**topics.client_config, "log_level": 0})
    for partition, first in ((0, 100), (1, 105)):
        for second in range(first, 110):
            producer.produce(topic_name, b"x", partition=partition, timestamp=second * 1000)
    assert producer.flush(30.0) == 0
    return topic_name


def test_a_time_is_the_first_record_of_it_or_later_in_each_partition(
    view: ClusterView, timed: str
) -> None:
    found = resolve(Ranges(start=Time(103_001), stop=Time(108_000)), timed, view)
    assert found.start == {0: 4, 1: 0, 2: 0}
    assert found.stop == {0: 8, 1: 3, 2: 0}
    assert not found.removed
    assert output_starts(Ranges(start=Time(108_000)), timed, view) == {0: 8, 1: 3, 2: 0}


def test_a_time_beyond_the_end_is_the_end(view: ClusterView, timed: str) -> None:
    found = resolve(Ranges(start=Time(200_000)), timed, view)
    assert found.start == found.stop == {0: 10, 1: 5, 2: 0}


def test_a_groups_offsets_bound_a_range(view: ClusterView, topics: Topics, timed: str) -> None:
    topics.commit_offsets(f"{timed}-group", timed, {0: 7, 2: 0})
    group = Committed(f"{timed}-group")
    assert resolve(Ranges(start=group), timed, view).start == {0: 7, 1: 0, 2: 0}
    chosen = Ranges(stop=group, partitions=frozenset({0, 2}))
    assert resolve(chosen, timed, view).stop == {0: 7, 2: 0}
    with pytest.raises(UsageError, match=f"nothing for {timed}-1"):
        resolve(Ranges(stop=group), timed, view)
    with pytest.raises(UsageError, match="no such consumer group"):
        resolve(Ranges(start=Committed(f"{timed}-grupo")), timed, view)
