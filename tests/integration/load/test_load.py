"""The load against a real broker: the history says exactly what is in the topic."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from eoscheck.audit import run_audit
from eoscheck.audit.findings import Verdict
from eoscheck.audit.identity import parse
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster import Cluster, ClusterView, NewTopic, create_topics
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import Recorder, SendsAcknowledged, SendsUnconfirmed, read_history
from eoscheck.load import LoadSpec, LoadSummary, preload, run_load

PARTITIONS = 3
Place = tuple[int, int]


def payment_id(_key: bytes | None, value: bytes | None, _headers: Any) -> Any:
    return msgspec.json.decode(value or b"{}").get("payment_id")


@pytest.fixture
def topic(cluster: Cluster) -> str:
    return new_topic(cluster)


def new_topic(cluster: Cluster) -> str:
    name = f"load-{uuid4().hex[:8]}"
    create_topics(cluster.client_config, [NewTopic(name=name, partitions=PARTITIONS)])
    return name


def read(
    client_config: Mapping[str, str], topic: str, isolation: str
) -> dict[Place, tuple[Any, bytes]]:
    """(partition, offset) -> (payment id, key) of all that such a consumer is given."""
    with ClusterView(client_config) as view:
        ends = view.high_watermarks(topic)
    consumer = Consumer(
        {
            **client_config,
            "group.id": "reads-back",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    found = {}
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        finished: set[int] = set()
        while len(finished) < len(ends):
            message = consumer.poll(20)
            assert message is not None, "waited 20 s for the end of the topic"
            if message.error():
                finished.add(message.partition())
                continue
            found[message.partition(), message.offset()] = (
                payment_id(None, message.value(), None),
                message.key(),
            )
    finally:
        consumer.close()
    return found


class Run:
    """A load that has ended, and its history."""

    def __init__(self, folder: Path, summary: LoadSummary) -> None:
        self.summary = summary
        self.acknowledged: dict[Place, Any] = {}
        self.intended: dict[Any, float] = {}
        self.unconfirmed: dict[str, list[Any]] = {}
        for event in read_history(folder):
            if isinstance(event, SendsAcknowledged):
                places = zip(event.partitions, event.offsets, strict=True)
                self.acknowledged |= zip(places, event.identities, strict=True)
                self.intended |= zip(event.identities, event.intended, strict=True)
            if isinstance(event, SendsUnconfirmed):
                self.unconfirmed.setdefault(event.outcome, []).extend(event.identities)


def load(cluster: Cluster, folder: Path, spec: LoadSpec, *, seed: int = 1, **more: Any) -> Run:
    paced = more.pop("paced", True)
    arguments: dict[str, Any] = {
        "seed": seed,
        "run_id": uuid4().hex[:8],
        "client_config": cluster.client_config,
        "identify": payment_id,
    }
    with Recorder(folder) as recorder:
        arguments["recorder"] = recorder
        if paced:
            summary = run_load(
                spec, stop=more.pop("stop", None) or threading.Event(), **arguments, **more
            )
        else:
            summary = preload(spec, **arguments, **more)
    return Run(folder, summary)


def test_what_is_acknowledged_is_in_the_topic_at_that_place_and_nothing_else_is(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    run = load(cluster, tmp_path, LoadSpec(topic=topic, keys=50), count=5000, paced=False)
    committed = read(cluster.client_config, topic, "read_committed")
    assert run.acknowledged == {place: identity for place, (identity, _) in committed.items()}
    assert sorted(run.acknowledged.values()) == list(range(5000))
    assert run.unconfirmed == {}
    assert run.summary.acknowledged == run.summary.sent == 5000


def test_aborted_transactions_are_in_the_log_and_not_in_the_committed_view(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    spec = LoadSpec(topic=topic, transaction_size=50, abort_ratio=0.3)
    run = load(cluster, tmp_path, spec, seed=4, count=1000, paced=False)
    committed = read(cluster.client_config, topic, "read_committed")
    everything = read(cluster.client_config, topic, "read_uncommitted")
    aborted = run.unconfirmed["aborted"]
    assert run.acknowledged == {place: identity for place, (identity, _) in committed.items()}
    assert len(aborted) == run.summary.aborted > 0
    assert sorted(aborted + list(run.acknowledged.values())) == list(range(1000))
    # They really were written, so reading them would be a bug that shows; and never sent again.
    assert sorted(identity for identity, _ in everything.values()) == list(range(1000))


def test_a_seed_gives_the_same_records_to_the_same_partitions_with_the_same_aborts(
    cluster: Cluster, tmp_path: Path
) -> None:
    def contents(seed: int, folder: str) -> tuple[Any, Any]:
        topic = new_topic(cluster)
        spec = LoadSpec(topic=topic, keys=20, zipf=1.1, transaction_size=20, abort_ratio=0.3)
        run = load(cluster, tmp_path / folder, spec, seed=seed, count=160, paced=False)
        committed = read(cluster.client_config, topic, "read_committed")
        return [(p, record) for (p, _), record in sorted(committed.items())], run.unconfirmed

    assert contents(7, "a") == contents(7, "b")
    assert contents(8, "c") != contents(7, "d")


@pytest.mark.parametrize(
    ("key", "murmur2"), [("21", -973932308), ("foobar", -790332482), ("a", -1563381124)]
)
def test_a_key_goes_to_the_partition_that_javas_partitioner_gives_it(
    cluster: Cluster, topic: str, tmp_path: Path, key: str, murmur2: int
) -> None:
    spec = LoadSpec(topic=topic, key=key)
    run = load(cluster, tmp_path, spec, count=3, paced=False)
    assert {partition for partition, _ in run.acknowledged} == {(murmur2 & 0x7FFFFFFF) % PARTITIONS}


def test_intended_times_are_evenly_spaced_whatever_the_sends_did(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    spec = LoadSpec(topic=topic, rate=400, transaction_size=20)
    run = load(cluster, tmp_path, spec, duration_s=1.0)
    assert run.summary.sent == 400
    times = [run.intended[identity] for identity in sorted(run.intended)]
    assert len(times) == 400
    assert all(b - a == pytest.approx(1 / 400) for a, b in pairwise(times))


def test_a_load_that_is_stopped_ends_its_open_transaction_and_accounts_for_every_record(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.7, stop.set)
    timer.start()
    run = load(cluster, tmp_path, LoadSpec(topic=topic, rate=300, transaction_size=500), stop=stop)
    timer.join()
    assert 0 < run.summary.sent < 500  # within its first transaction
    assert sorted(run.acknowledged.values()) == list(range(run.summary.sent))
    with ClusterView(cluster.client_config) as view:
        assert view.last_stable_offsets(topic) == view.high_watermarks(topic)


def test_a_topic_that_does_not_exist_is_refused_and_not_created(
    cluster: Cluster, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no such topic 'nowhere'"):
        load(cluster, tmp_path, LoadSpec(topic="nowhere"), count=1)
    with ClusterView(cluster.client_config) as view:
        assert "nowhere" not in view.topics()


def test_records_that_the_id_expression_does_not_fit_are_refused_at_the_first(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="the id expression finds nothing in the load's own"):
        load(cluster, tmp_path, LoadSpec(topic=topic, value={"a": 1}), count=100)


def test_a_broker_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with (
        Recorder(tmp_path) as recorder,
        pytest.raises(InfrastructureError, match=r"127\.0\.0\.1:1\b") as caught,
    ):
        preload(
            LoadSpec(topic="t"),
            count=1,
            seed=1,
            run_id="r",
            client_config={"bootstrap.servers": "127.0.0.1:1"},
            recorder=recorder,
            identify=payment_id,
        )
    assert "\n" not in str(caught.value)


def test_a_file_is_replayed_once_and_its_records_are_known_by_header_or_content(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order,who\n" + "".join(f"{number},w{number % 5}\n" for number in range(300)))
    recorder = Recorder(tmp_path)
    summary = run_load(
        LoadSpec(topic=topic, rate=1000, input_file=str(path), key_column="who"),
        seed=1,
        run_id="r",
        client_config=cluster.client_config,
        recorder=recorder,
        identify=parse("header:eoscheck-id"),
        stop=threading.Event(),
    )
    assert (summary.sent, summary.acknowledged) == (300, 300)
    told = [
        identity
        for event in read_history(tmp_path)
        if isinstance(event, SendsAcknowledged)
        for identity in event.identities
    ]
    assert sorted(map(int, told)) == list(range(300))
    report = run_audit(
        AuditSpec(output=topic, id="header:eoscheck-id"), client_config=cluster.client_config
    )
    assert report.verdict is Verdict.PASS, report
    by_order = run_audit(
        AuditSpec(output=topic, id="json:/order"), client_config=cluster.client_config
    )
    assert by_order.counts["output_records"] == 300
    assert by_order.verdict is Verdict.PASS
