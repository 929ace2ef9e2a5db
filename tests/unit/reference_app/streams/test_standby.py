"""Which process keeps which standby, how far a copy goes, and who may have a store open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from confluent_kafka import KafkaError, Message

from reference_app.streams.changelog import Changelog
from reference_app.streams.errors import PARTITION_EOF, SessionLost
from reference_app.streams.owners import Owners
from reference_app.streams.serde import STRING
from reference_app.streams.standby import StandbyReader, Standbys, standby_partitions
from reference_app.streams.store import Position, RocksStore
from reference_app.streams.task import LoggedStore
from tests.unit.reference_app.streams.fakes import CHANGELOG
from tests.unit.reference_app.streams.test_restore import FakeAdmin, FakeChangelog

PROCESSES = frozenset("abcd")


def owners(**by_owner: tuple[int, ...]) -> Owners:
    by_partition = {p: owner for owner, partitions in by_owner.items() for p in partitions}
    return Owners(stable=True, by_partition=by_partition, members=PROCESSES)


def keepers(now: Owners, replicas: int) -> dict[int, set[str]]:
    kept: dict[int, set[str]] = {partition: set() for partition in now.by_partition}
    for member in now.members:
        for partition in standby_partitions(now, member=member, replicas=replicas):
            kept[partition].add(member)
    return kept


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_every_partition_has_so_many_keepers_and_never_its_owner(replicas: int) -> None:
    now = owners(a=(0, 1), b=(2, 3), c=(4, 5), d=(6, 7))
    for partition, members in keepers(now, replicas).items():
        assert len(members) == replicas
        assert now.by_partition[partition] not in members


def test_more_replicas_than_processes_are_all_that_there_are() -> None:
    assert set(map(len, keepers(owners(a=(0,), b=(1,)), 9).values())) == {3}


def test_a_keeper_keeps_its_copy_when_another_process_comes() -> None:
    """Else each scale-out would read most changelogs anew."""
    before = owners(a=tuple(range(40)))
    after = Owners(stable=True, by_partition=before.by_partition, members=PROCESSES | {"e"})
    moved = [
        partition
        for partition, members in keepers(before, 1).items()
        if keepers(after, 1)[partition] != members
    ]
    newcomer = standby_partitions(after, member="e", replicas=1)
    assert set(moved) == set(newcomer)
    assert 0 < len(moved) < 20


class FakeWatch:
    answer: Owners | None = None

    def poll(self) -> Owners | None:
        return self.answer


class Bench:
    """A reader of process `b`; process `a` owns partition 0, whose changelog ends at 3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changelog = FakeChangelog()
        self.watch = FakeWatch()
        self.watch.answer = Owners(
            stable=True, by_partition={0: "a"}, members=frozenset({"a", "b"})
        )
        self.now = 1000.0
        self.opened: list[RocksStore[str, str]] = []
        self.reader = StandbyReader(
            admin=FakeAdmin(start=0, end=3),  # type: ignore[arg-type]
            consumer=self.changelog,  # type: ignore[arg-type]
            watch=self.watch,  # type: ignore[arg-type]
            open_stores=self._open,
            member="b",
            replicas=1,
            wall_clock=lambda: self.now,
        )

    def _open(self, partition: int) -> list[LoggedStore]:
        store = self.store()
        self.opened.append(store)
        return [LoggedStore("store", store, Changelog(CHANGELOG, partition))]

    def store(self) -> RocksStore[str, str]:
        return RocksStore(self.folder / "store", key=STRING, value=STRING)

    def steps(self, number: int = 5, *, claimed: set[int] | None = None) -> None:
        for _ in range(number):
            self.reader.step(claimed or set())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def logged(offset: int, value: str) -> Message:
    return Message(topic=CHANGELOG.name, partition=0, offset=offset, key=b"k", value=value.encode())


def end() -> Message:
    return Message(topic=CHANGELOG.name, partition=0, offset=3, error=KafkaError(PARTITION_EOF))


def test_a_standby_holds_what_it_has_read_and_its_task_goes_on_from_there(bench: Bench) -> None:
    bench.steps()
    bench.changelog.batches = [[logged(0, "a"), logged(1, "b")]]
    bench.steps(1)
    assert [copy.offsets for copy in bench.reader.offsets()] == [{"store": 2}]
    bench.reader.drop(0)
    store = bench.store()
    assert store.get("k") == "b"
    assert store.position is not None
    assert store.position.offset == 2
    store.close()


def test_a_claimed_partition_is_closed_and_not_opened_again(bench: Bench) -> None:
    bench.steps()
    assert len(bench.opened) == 1
    bench.steps(claimed={0})
    bench.store().close()  # would fail while the standby has it open
    assert bench.reader.offsets() == []
    bench.steps()
    assert len(bench.opened) == 2, "given back, it is kept warm again"


def test_a_standby_ends_where_the_group_says_so_and_not_while_it_rebalances(bench: Bench) -> None:
    bench.steps()
    bench.watch.answer = Owners(stable=False, by_partition={}, members=frozenset())
    bench.steps()
    assert len(bench.reader.offsets()) == 1
    bench.watch.answer = Owners(stable=True, by_partition={0: "b"}, members=frozenset({"b"}))
    bench.steps()
    assert bench.reader.offsets() == []


def test_a_copy_that_was_up_to_date_to_the_last_is_as_young_as_its_end(bench: Bench) -> None:
    """Else a quiet partition's standby would count as too old for its tombstones after a day."""
    bench.steps()
    bench.changelog.batches = [[logged(0, "a"), end()]]
    bench.steps()
    bench.now += 50_000.0
    bench.reader.drop(0)
    position = bench.store().position
    assert position is not None
    assert position.written_at == bench.now


def test_a_copy_that_lags_keeps_the_time_it_was_written_at(bench: Bench) -> None:
    bench.steps()
    bench.changelog.batches = [[logged(0, "a")]]
    bench.steps()
    bench.now += 50_000.0
    bench.reader.drop(0)
    position = bench.store().position
    assert position is not None
    assert position.written_at == 1000.0


def test_a_standby_of_another_topic_is_read_anew(bench: Bench) -> None:
    store = bench.store()
    store.restore([(b"old", b"x")], Position("another-topic", 2, 1000.0))
    store.close()
    bench.steps()
    assert bench.opened[0].get("old") is None
    assert bench.changelog.assigned == [0]


@pytest.mark.thorough
def test_a_failing_standby_starts_again_and_ends_with_the_process(tmp_path: Path) -> None:
    stopping = Event()
    tries = []

    def open_reader() -> StandbyReader:
        tries.append(len(tries))
        if len(tries) == 1:
            raise SessionLost("no broker")
        return Bench(tmp_path).reader

    standbys = Standbys(open_reader, stopping)
    thread = Thread(target=standbys.run)
    thread.start()
    _until(lambda: bool(standbys.offsets()))
    standbys.claim(0)
    RocksStore(tmp_path / "store", key=STRING, value=STRING).close()
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(tries) == 2


def _until(true: Callable[[], bool]) -> None:
    waiting = Event()
    for _ in range(500):
        if true():
            return
        waiting.wait(0.01)
    raise AssertionError("the standby was never opened")
