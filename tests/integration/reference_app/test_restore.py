"""The end of a restore, and the offset a task goes on from, while transactions are open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from eoscheck.cluster import Cluster
from reference_app.streams.changelog import Changelog, ChangelogTopic
from reference_app.streams.clients import Clients
from reference_app.streams.committed import StableOffset
from reference_app.streams.options import StreamsOptions
from reference_app.streams.restore import Restored, Restorer
from reference_app.streams.serde import STRING
from reference_app.streams.store import RocksStore
from reference_app.streams.stream_time import Committed
from reference_app.streams.task import LoggedStore, Task
from reference_app.streams.topology import Source
from tests.integration.reference_app.payments_driver import wait_for


class Bench:
    """One changelog topic with one partition, and producers that leave transactions as they are."""

    def __init__(self, bootstrap: str, name: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.topic = f"{name}-changelog"
        self.clients = Clients(
            options=StreamsOptions(application_id=name, bootstrap_server=bootstrap),
            client_id=name,
            consumer_overrides={},
        )
        self.admin: AdminClient = self.clients.admin()
        self.admin.create_topics([NewTopic(self.topic, 1, 1)])[self.topic].result()
        self.store = RocksStore(folder / "store", key=STRING, value=STRING)
        self.member = self.clients.consumer(worker=0)
        self.restored: list[Restored] = []
        self._producers = 0

    def transaction(self) -> Producer:
        """Open, with nothing in it."""
        self._producers += 1
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "transactional.id": f"{self.name}-{self._producers}",
            }
        )
        producer.init_transactions(20)
        producer.begin_transaction()
        return producer

    def write(self, producer: Producer, key: str, value: str) -> None:
        producer.produce(self.topic, value, key, 0)
        assert producer.flush(20) == 0

    def offset(self) -> StableOffset:
        return StableOffset(self.member, TopicPartition(self.topic, 0))

    def restorer(self, end: IsolationLevel = IsolationLevel.READ_UNCOMMITTED) -> Restorer:
        restorer = Restorer(
            admin=self.admin,
            open_consumer=self.clients.restore_consumer,
            stable_offset=lambda _: self.offset(),
            on_restored=self.restored.append,
            end_isolation=end,
        )
        changelog = ChangelogTopic(name=self.topic, topic_id="id", delete_retention_s=3600)
        restorer.add(
            Task(
                partition=0,
                source=Source("unused", STRING, STRING),
                steps=[],
                stores=[LoggedStore("store", self.store, Changelog(changelog, 0))],
                wall_clock=lambda: 0.0,
            )
        )
        return restorer


@pytest.fixture
def bench(cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(cluster.bootstrap_servers, fresh_name("app"), tmp_path)
    yield made
    made.member.close()
    made.store.close()


def finish(restorer: Restorer) -> None:
    wait_for("the restore", lambda: restorer.step(0.01))
    restorer.close()


def test_a_restore_waits_for_the_transaction_below_what_is_committed(bench: Bench) -> None:
    orphan, owner = bench.transaction(), bench.transaction()
    bench.write(orphan, "a", "never committed")
    bench.write(owner, "b", "committed")
    owner.commit_transaction(20)
    restorer = bench.restorer()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert restorer.step(0.01) == [], "there is a committed record that it has not read"
    orphan.abort_transaction(20)
    finish(restorer)
    assert dict(bench.store.items()) == {"b": "committed"}
    # The high watermark as it was at the start: two records, and the marker of one if it was there.
    assert bench.restored[0].end in (2, 3)


def test_a_restore_to_the_last_stable_offset_would_lose_it(bench: Bench) -> None:
    """The same with the end that KAFKA-10167 had: that is what the test above protects from."""
    orphan, owner = bench.transaction(), bench.transaction()
    bench.write(orphan, "a", "never committed")
    bench.write(owner, "b", "committed")
    owner.commit_transaction(20)
    finish(bench.restorer(IsolationLevel.READ_COMMITTED))
    assert dict(bench.store.items()) == {}
    orphan.abort_transaction(20)


def test_an_interrupted_restore_goes_on_from_where_it_was(bench: Bench) -> None:
    first = bench.transaction()
    bench.write(first, "a", "1")
    first.commit_transaction(20)
    finish(bench.restorer())
    second = bench.transaction()
    bench.write(second, "b", "2")
    second.commit_transaction(20)
    finish(bench.restorer())
    assert [(r.start, r.end, r.records) for r in bench.restored] == [(0, 2, 1), (2, 4, 1)]
    assert dict(bench.store.items()) == {"a": "1", "b": "2"}


def test_an_offset_is_not_believed_while_a_transaction_holds_it(bench: Bench) -> None:
    member = bench.member
    member.subscribe([bench.topic])
    wait_for("the member's assignment", lambda: member.poll(0.1) or member.assignment())
    pending = bench.transaction()
    offsets = [TopicPartition(bench.topic, 0, 7)]
    pending.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), 20)
    asked = bench.offset()
    assert {asked.poll(alone=True) for _ in range(3)} == {None}
    pending.commit_transaction(20)
    assert wait_for("the offset", lambda: asked.poll(alone=True)) == Committed(7)


def test_a_group_that_has_committed_nothing_starts_at_the_beginning(bench: Bench) -> None:
    asked = bench.offset()
    assert wait_for("the answer", lambda: asked.poll(alone=True)) == Committed(-1)
