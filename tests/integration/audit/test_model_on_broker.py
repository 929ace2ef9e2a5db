"""Random lives of transactional producers on a real broker: what an audit says of them, by either
reader, is what a naive model of their script says."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import pytest
from confluent_kafka import IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.cluster import Cluster
from tests.integration.audit.writing import WAIT_S, Topics
from tests.unit.audit import whole_naive as naive
from tests.unit.audit.topics import Row

EXAMPLES = 25
PARTITIONS = 2
IN, OUT = "payments", "receipts"
ACTORS = (0, 1, 2)
"""The last one has no transactions: an idempotent producer."""
READERS: tuple[Literal["fast", "client"], ...] = ("fast", "client")
_numbers = itertools.count(1)

Step = tuple[str, int, str, int, list[int]]
"""(what, actor, topic, partition, identities)"""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "send", "commit", "commit", "abort", "fence"]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([IN, OUT]),
        st.integers(0, PARTITIONS - 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=3),
    ),
    min_size=12,
    max_size=30,
)

Written = tuple[str, int, int, int]
"""(topic, partition, offset, identity)"""


@dataclass
class Actor:
    """One producer's life. `open` was written in the transaction under way."""

    producer: Producer
    transactional: bool
    begun: bool = False
    open: list[Written] = field(default_factory=list)


@dataclass
class Stage:
    """Plays a script; `committed` is what it should leave behind."""

    client_config: Mapping[str, str]
    names: Mapping[str, str]
    number: int
    committed: list[Written] = field(default_factory=list)
    ended: list[tuple[bool, list[Written]]] = field(default_factory=list)
    fenced: int = 0

    def play(self, steps: Sequence[Step]) -> None:
        actors = {number: self._actor(number) for number in ACTORS}
        for what, number, topic, partition, identities in steps:
            actor = actors[number]
            if what == "send":
                self._send(actor, topic, partition, identities)
            elif not actor.begun:
                continue
            elif what == "fence":
                actors[number] = self._fence(number, actor)
            else:
                self._end(actor, commit=what == "commit")
        for actor in actors.values():
            if actor.begun:
                self._end(actor, commit=True)

    def _actor(self, number: int) -> Actor:
        transactional = number != ACTORS[-1]
        config = {**self.client_config, "linger.ms": 0, "log_level": 0, "enable.idempotence": True}
        if transactional:
            config["transactional.id"] = f"actor-{self.number}-{number}"
        producer = Producer(config)
        if transactional:
            producer.init_transactions(WAIT_S)
        return Actor(producer, transactional)

    def _send(self, actor: Actor, topic: str, partition: int, identities: Sequence[int]) -> None:
        if actor.transactional and not actor.begun:
            actor.producer.begin_transaction()
            actor.begun = True
        offsets: list[int] = []

        def delivered(error: Any, message: Any) -> None:
            assert error is None, error
            offsets.append(message.offset())

        for identity in identities:
            value = msgspec.json.encode({"id": identity})
            actor.producer.produce(
                self.names[topic],
                value,
                f"k{identity % 3}",
                partition=partition,
                on_delivery=delivered,
            )
        assert actor.producer.flush(WAIT_S) == 0
        written = [
            (topic, partition, offset, identity)
            for offset, identity in zip(offsets, identities, strict=True)
        ]
        (actor.open if actor.transactional else self.committed).extend(written)

    def _end(self, actor: Actor, *, commit: bool) -> None:
        if commit:
            actor.producer.commit_transaction(WAIT_S)
            self.committed += actor.open
        else:
            actor.producer.abort_transaction(WAIT_S)
        self._note_ended(actor, commit=commit)

    def _fence(self, number: int, old: Actor) -> Actor:
        """Another producer of the same name ends the transaction of the old one, who is refused."""
        new = self._actor(number)
        with pytest.raises(KafkaException):
            old.producer.commit_transaction(WAIT_S)
        self._note_ended(old, commit=False)
        self.fenced += 1
        return new

    def _note_ended(self, actor: Actor, *, commit: bool) -> None:
        self.ended.append((commit, actor.open))
        actor.open, actor.begun = [], False

    def rows(self, topic: str) -> naive.View:
        rows: dict[int, list[Row]] = {number: [] for number in range(PARTITIONS)}
        for _topic, partition, offset, identity in sorted(self.committed):
            if _topic == topic:
                rows[partition].append(Row(identity, f"k{identity % 3}", offset=offset))
        return naive.View(rows, incomplete=False)

    def transactions(self, topic: str) -> dict[str, int]:
        """As the audit counts them: once in each partition that they touch."""
        counts: dict[str, int] = defaultdict(int)
        for commit, written in self.ended:
            mine = [each for each in written if each[0] == topic]
            outcome = "committed" if commit else "aborted"
            counts[outcome] += len({partition for _topic, partition, *_ in mine})
            counts[f"{outcome}_records"] += len(mine)
        return counts

    def wait_for_markers(self) -> None:
        """A commit returns before all its markers are there."""
        admin = AdminClient(dict(self.client_config))
        places = [TopicPartition(n, p) for n in self.names.values() for p in range(PARTITIONS)]
        latest = {place: OffsetSpec.latest() for place in places}
        until = time.monotonic() + WAIT_S
        while True:
            ends = [
                [f.result().offset for f in admin.list_offsets(latest, isolation_level=i).values()]
                for i in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
            ]
            if ends[0] == ends[1]:
                return
            assert time.monotonic() < until, f"waited {WAIT_S:g} s for markers: {ends}"


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, with_input=st.booleans(), by_key=st.booleans())
def test_what_either_reader_says_of_a_script_is_what_the_model_says(
    cluster: Cluster, topics: Topics, steps: list[Step], with_input: bool, by_key: bool
) -> None:
    number = next(_numbers)
    names = {n: topics.create(f"{n}-model-on-broker-{number}", PARTITIONS) for n in (IN, OUT)}
    stage = Stage(cluster.client_config, names, number)
    stage.play(steps)
    stage.wait_for_markers()
    reports = [
        run_audit(
            AuditSpec(
                output=names[OUT],
                input=names[IN] if with_input else None,
                id="json:/id",
                order="key" if by_key and with_input else "partition",
                reader=reader,
                patience_s=0.1,
                max_findings=1000,
            ),
            client_config=cluster.client_config,
        )
        for reader in READERS
    ]
    fast, client = (as_said(report) for report in reports)
    assert fast == client
    check(reports[0], stage, by_key=by_key, with_input=with_input)


def as_said(report: AuditReport) -> Any:
    return {**msgspec.to_builtins(report), "duration_s": None}


def check(report: AuditReport, stage: Stage, *, by_key: bool, with_input: bool) -> None:
    output = stage.rows(OUT)
    if with_input:
        everything = dict.fromkeys(range(PARTITIONS), 1_000_000)
        source = stage.rows(IN)
        expected = naive.with_input(output, source, due=everything, by_key=by_key)
    else:
        expected = naive.without_input(output)
    wanted = {
        (str(code), stage.names[IN if code is Code.LOST else OUT], *at)
        for code, places in expected.places.items()
        for at in places
    }
    found = [
        (str(f.code), f.topic, f.partition, f.offsets[0])
        for f in report.findings
        if f.code is not Code.REORDERED
    ]
    assert sorted(found) == sorted(wanted)
    reordered = sum(
        len(stream) - naive.longest_rise([position for _p, position, _o in stream])
        for stream in expected.streams
    )
    assert report.anomalies.get(Code.REORDERED, 0) == reordered
    assert sum(report.anomalies.values()) == len(wanted) + reordered
    assert {unknown.subject for unknown in report.unknowns} == set(map(str, expected.unknown))
    failed = bool(wanted) or reordered > 0
    assert report.verdict is (
        Verdict.FAIL if failed else Verdict.UNKNOWN if expected.unknown else Verdict.PASS
    )
    for told in report.transactions:
        topic = IN if told.topic == stage.names[IN] else OUT
        counts = stage.transactions(topic)
        assert (told.committed, told.aborted, told.open) == (
            counts["committed"],
            counts["aborted"],
            0,
        )
        assert told.committed_records == counts["committed_records"]
        assert told.aborted_records == counts["aborted_records"]
    for code in {*report.anomalies}:
        event(str(code))
    event(f"{min(stage.fenced, 2)} fenced")
