"""Whole audits of random topics, from the bytes of their batches to what is said of them, against a
model that anybody would write. Only the sockets and the evidence are left out.

`make soak` has thousands of examples (`SOAK_EXAMPLES`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from eoscheck.audit.capture import Capture, Captured
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.findings import Code
from eoscheck.audit.readers.reading import Reader
from eoscheck.audit.rows.shuffle import Budget
from eoscheck.audit.shards import Shards, check_shards
from eoscheck.audit.spec import AuditSpec
from eoscheck.logformat.batches import Control
from tests.unit.audit import whole_naive as naive
from tests.unit.audit.topics import CRAMPED, INPUT, OUTPUT, ROOMY
from tests.unit.audit.whole_logs import (
    Entry,
    FakeConfigs,
    FakeLog,
    FakeView,
    Partition,
    Writer,
    cleaned,
)
from tests.unit.logformat import wire

pytestmark = pytest.mark.thorough

EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "500"))
EVERY = 10_000
PRODUCERS = (1, 2, 3)
_IDENTITIES = (Code.DUPLICATE, Code.LOST, Code.PHANTOM, Code.GAP)
_VIEWS = (Code.ABORTED_VISIBLE, Code.LOST_COMMIT, Code.ZOMBIE_WRITE)

# ---------------------------------------------------------------- random topics


@dataclass(frozen=True)
class Pipeline:
    """Two topics, one without an input, and how they are audited."""

    topics: dict[str, dict[int, Partition]]
    compacted: frozenset[str]
    by_key: bool
    room: tuple[int, int]
    limit: int


_WHAT = st.sampled_from(
    [*["data"] * 6, *["commit"] * 4, "abort", "abort", "plain", "retried", "leader"]
)
_CHANGE = st.sampled_from([0, 0, 0, 1, -1])
"""Of the epoch, with a marker: fencing and protocol v2 make it rise. No broker lets it fall."""
_STEP = st.sampled_from([*[1] * 10, 0, 2, 3, -1, -2])
"""From one record's number to the next: 0 is a duplicate, 2 a gap, others are out of order."""
_KEY = st.sampled_from(["a", "b", "c", None])
_RECORDS = st.lists(st.tuples(_STEP, _KEY), min_size=1, max_size=4)
_SEED = st.tuples(_WHAT, st.sampled_from(PRODUCERS), _CHANGE, _RECORDS)


def written(
    steps: Sequence[tuple[str, int, int, list[tuple[int, str | None]]]],
    *,
    first: int,
    source: str | None,
    misfit_at: int,
    codec: int,
) -> Writer:
    writer, number, count = Writer(), first, 0
    epochs = dict.fromkeys(PRODUCERS, 1)
    for what, producer, change, records in steps:
        if what in ("data", "plain"):
            entries = []
            for step, key in records:
                number, count = max(0, number + step), count + 1
                identity = number if source is None else f"{source}{number}"
                entries.append(Entry(None if count == misfit_at else identity, key))
            if what == "data":
                epoch = max(0, epochs[producer])
                writer.data(producer, epoch, entries, transactional=True, codec=codec)
            else:
                # Idempotent producers, who have no transactions.
                writer.data(producer + 10, max(0, change), entries, transactional=False)
        elif what == "retried":
            if writer.log.batches and writer.log.batches[-1].control is Control.DATA:
                writer.again()
        elif what == "leader":
            writer.leader_change()
        else:
            epochs[producer] = max(0, epochs[producer] + change)
            writer.marker(producer, epochs[producer], commit=what == "commit")
    return writer


@st.composite
def partitions(draw: st.DrawFn, *, first: int, compacted: bool, lies: bool) -> Partition:
    size = draw(st.integers(0, 14))  # hypothesis by itself prefers short lists
    writer = written(
        draw(st.lists(_SEED, min_size=size, max_size=size)),
        first=first,
        source=draw(st.sampled_from([None, None, None, "order-"])),
        misfit_at=draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 3])),
        codec=draw(st.sampled_from(wire.CODECS)),
    )
    if draw(st.integers(0, 3)):
        for producer in PRODUCERS:
            writer.marker(producer, 2, commit=True)
    partition = Partition(
        stored=writer.stored(), pieces=draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    )
    if compacted:
        chance = draw(st.randoms(use_true_random=False))
        partition.stored = cleaned(
            partition.stored,
            last_stable=partition.last_stable,
            taken=(chance.random() < 0.3 for _ in itertools.count()),
        )
    partition.cut = partition.end
    if draw(st.integers(0, 7)) == 0:  # somebody writes on while this is audited
        partition.cut = draw(st.integers(0, partition.end))
    if draw(st.integers(0, 14)) == 0:  # retention
        partition.log_start = draw(st.integers(0, partition.cut))
    if lies:
        aborted = len(partition.aborted())
        partition.untold = draw(st.frozensets(st.integers(0, max(0, aborted - 1)), max_size=2))
        partition.invented = draw(
            st.lists(
                st.tuples(st.sampled_from(PRODUCERS), st.integers(0, partition.end)), max_size=2
            )
        )
    return partition


@st.composite
def pipelines(draw: st.DrawFn, *, lies: bool) -> Pipeline:
    compacted = frozenset(topic for topic in (INPUT, OUTPUT) if draw(st.integers(0, 9)) == 0)
    names = [OUTPUT, INPUT] if draw(st.booleans()) else [OUTPUT]
    # Numbers of 2^16 and more are held apart from those below.
    first = draw(st.sampled_from([0, 0, (1 << 16) - 15]))
    topics = {
        name: {
            number: draw(
                partitions(first=first + 12 * number, compacted=name in compacted, lies=lies)
            )
            for number in range(draw(st.integers(1, 3)))
        }
        for name in names
    }
    return Pipeline(
        topics=topics,
        compacted=compacted,
        by_key=draw(st.booleans()) and INPUT in names,
        room=draw(st.sampled_from([ROOMY, CRAMPED])),
        limit=draw(st.sampled_from([EVERY, EVERY, 2])),
    )


# ---------------------------------------------------------------- the audit of them


@dataclass(frozen=True)
class Audited:
    captured: Captured
    checked: list[Checked]

    def total(self, code: Code) -> int:
        return sum(f.total for each in self.checked for f in each.found if f.code is code)

    def anomalies(self, code: Code) -> list[Anomaly]:
        return [
            anomaly
            for each in self.checked
            for found in each.found
            if found.code is code
            for anomaly in found.anomalies
        ]

    def unknown(self) -> set[str]:
        return {unknown.subject for each in self.checked for unknown in each.unknowns}

    def count(self, name: str) -> int:
        return sum(each.counts.get(name, 0) for each in self.checked)


def _no_client() -> NoReturn:
    raise AssertionError("the compiled reader reads these")


def audited(pipeline: Pipeline) -> Audited:
    """All that `run_audit` does between its connections and its report, but for evidence."""
    spec = AuditSpec(
        output=OUTPUT,
        input=INPUT if INPUT in pipeline.topics else None,
        id="json:/id",
        order="key" if pipeline.by_key else "partition",
        max_findings=pipeline.limit,
        patience_s=0,
    )
    ticks = iter(range(10**9))
    log: Any = FakeLog(pipeline.topics)
    view: Any = FakeView(pipeline.topics)
    configs: Any = FakeConfigs(pipeline.compacted)
    with Budget(rows_bytes=pipeline.room[0], shard_rows=pipeline.room[1]) as budget:
        capture = Capture(
            spec=spec,
            view=view,
            reader=Reader(
                consumer=_no_client,
                log=log,
                configs=configs,
                mode="fast",
                patience_s=spec.patience_s,
                limit=spec.max_findings,
                clock=lambda: float(next(ticks)),
            ),
            budget=budget,
            rows=max(
                sum(each.cut - each.log_start for each in topic.values())
                for topic in pipeline.topics.values()
            ),
        )
        captured = capture.take()
        shards = Shards(spec=spec, captured=captured, budget=budget)
        checked = [read.raw.checked() for read in captured.reads() if read.raw is not None]
        checked += check_shards(shards, moves=lambda _seconds: False, watch_s=0)
    return Audited(captured, checked)


# ---------------------------------------------------------------- audit and model


def check_identities(pipeline: Pipeline, found: Audited) -> None:
    views = {
        name: naive.client_view(topic, compacted=name in pipeline.compacted)
        for name, topic in pipeline.topics.items()
    }
    output, source = views[OUTPUT], views.get(INPUT)
    for read in found.captured.reads():
        rows = views[read.topic].rows
        assert dict(read.records) == {n: len(of) for n, of in rows.items() if of}
    if source is None:
        expected = naive.without_input(output)
        missing = "missing_numbers"
    else:
        due = {number: each.cut for number, each in pipeline.topics[INPUT].items()}
        expected = naive.with_input(output, source, due=due, by_key=pipeline.by_key)
        missing = "missing_outputs"
    for code in _IDENTITIES:
        home = INPUT if code is Code.LOST else OUTPUT
        same_places(found, code, {(home, *at) for at in expected.places[code]}, pipeline.limit)
        assert (code in found.unknown()) == (code in expected.unknown), code
        for unknown in {code} & expected.unknown:
            event(f"{unknown} unknown")
    assert found.count("surplus_outputs") == expected.surplus
    if source is not None or Code.GAP not in expected.unknown:
        assert found.count(missing) == expected.missing
    check_order(expected, found, pipeline.limit)


def check_order(expected: naive.Identities, found: Audited, limit: int) -> None:
    """Which of the outputs moved is a matter of taste: how many, and that the others are in order,
    is not."""
    fewest = sum(
        len(stream) - naive.longest_rise([position for _partition, position, _offset in stream])
        for stream in expected.streams
    )
    assert found.total(Code.REORDERED) == fewest
    if fewest:
        event("REORDERED")
    if fewest <= limit:
        moved = {a.place[1:] for a in found.anomalies(Code.REORDERED)}
        assert len(moved) == fewest
        for stream in expected.streams:
            kept = [position for p, position, offset in stream if (p, offset) not in moved]
            assert kept == sorted(kept)


def check_batches(pipeline: Pipeline, found: Audited) -> None:
    expected = {name: naive.judged(topic) for name, topic in pipeline.topics.items()}
    for code in _VIEWS:
        places = {(name, *at) for name, each in expected.items() for at in _places(each, code)}
        same_places(found, code, places, pipeline.limit)
    assert found.count("repeated_batches") == sum(each.repeated for each in expected.values())
    for read in found.captured.reads():
        assert read.raw is not None
        told, each = read.raw.statistics(), expected[read.topic]
        assert (told.committed, told.aborted, told.open) == (
            each.committed,
            each.aborted,
            each.open,
        )
        assert told.committed_records == each.committed_records
        assert told.aborted_records == each.aborted_records
        assert each.given_up == set()
        # Nothing about batches is in doubt.
        assert read.raw.checked().unknowns == []


def _places(judged: naive.Batches, code: Code) -> set[tuple[int, int]]:
    match code:
        case Code.ABORTED_VISIBLE:
            return judged.aborted_visible
        case Code.LOST_COMMIT:
            return judged.lost_commit
        case _:
            return judged.zombies


def same_places(
    found: Audited, code: Code, expected: set[tuple[str, int, int]], limit: int
) -> None:
    places = [tuple(anomaly.place) for anomaly in found.anomalies(code)]
    assert found.total(code) == len(expected), (code, places, expected)
    assert len(set(places)) == len(places)
    if limit == EVERY:
        assert set(places) == expected, code
    else:
        assert set(places) <= expected
        assert len(places) >= min(limit, len(expected))
    if expected:
        event(str(code))


SETTINGS = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SETTINGS
@given(pipeline=pipelines(lies=True))
def test_an_audit_of_any_topics_says_what_the_naive_model_says(pipeline: Pipeline) -> None:
    found = audited(pipeline)
    check_identities(pipeline, found)
    check_batches(pipeline, found)


@settings(SETTINGS, max_examples=max(50, EXAMPLES // 5))
@given(pipeline=pipelines(lies=False))
def test_the_two_views_agree_where_the_broker_tells_the_truth(pipeline: Pipeline) -> None:
    found = audited(pipeline)
    assert found.total(Code.ABORTED_VISIBLE) == found.total(Code.LOST_COMMIT) == 0
    for name, topic in pipeline.topics.items():
        client = naive.client_view(topic, compacted=name in pipeline.compacted)
        assert client.rows == naive.marked_view(topic)
    check_identities(pipeline, found)


def test_what_a_cleaner_left_of_an_aborted_zombie_is_no_zombie_write() -> None:
    """Found by `make soak`: its records are gone, and with them the marker that aborted it."""
    writer = Writer()
    for epoch in (5, 4):
        writer.data(1, epoch, [Entry(epoch, "a")], transactional=True)
        writer.marker(1, 5, commit=epoch == 5)
    writer.data(2, 0, [Entry(6, "a")], transactional=False)
    stored = writer.stored()
    zombie = replace(stored[2], header=replace(stored[2].header, records=0), entries={})
    partition = Partition(stored=[*stored[:2], zombie, stored[4]], cut=5)
    pipeline = Pipeline(
        topics={OUTPUT: {0: partition}},
        compacted=frozenset({OUTPUT}),
        by_key=False,
        room=ROOMY,
        limit=EVERY,
    )
    found = audited(pipeline)
    assert found.total(Code.ZOMBIE_WRITE) == 0
    check_batches(pipeline, found)
