"""Somebody's own cluster is left exactly as it was: nothing created, joined, committed, written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from eoscheck.audit import AuditSpec, Code, run_audit
from eoscheck.audit.spec import FinalState, RunningSum
from eoscheck.cluster import ClusterView
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.connection import while_moving
from eoscheck.cluster.transactions import TransactionView
from eoscheck.errors import UsageError
from eoscheck.history import Event, GroupSampled, RunStarted, SendsAcknowledged
from eoscheck.process import Supervisor
from tests.integration.audit.writing import Out, Topics, payment, receipt
from tests.integration.cluster.secured import Secured, sasl_ssl_broker

_WAIT_S = 30.0
_GROUP = "pipeline"
_READERS: tuple[Literal["auto", "client"], ...] = ("auto", "client")


@pytest.fixture(scope="module")
def broker(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One that creates a topic for whoever asks for it."""
    folder: Path = tmp_path_factory.mktemp("broker")
    with sasl_ssl_broker(supervisor, folder, auto_create_topics_enable="true") as started:
        yield started


@pytest.fixture(scope="module")
def pipeline(broker: Secured) -> Iterator[None]:
    """Topics with committed, aborted and open transactions, a member at work, rights, settings."""
    topics = Topics(broker.inside)
    topics.create("in", 2)
    topics.create("out", 2, retention_ms="86400000")
    topics.create("table", 1, cleanup_policy="compact")
    topics.write("in", *(payment(number % 2, number) for number in range(6)))
    topics.commit("out", *(receipt(number % 2, number, 1) for number in range(6)))
    topics.commit("out", receipt(0, 0, 1))
    topics.abort("out", receipt(1, 1, 1))
    topics.write("table", Out(0, {"total": 6}, key="a"))
    while_moving(lambda: topics.commit_offsets(_GROUP, "in", {0: 3, 1: 3}), timeout_s=_WAIT_S)
    for name in ("in", "out"):
        broker.allow("auditor", (ResourceType.TOPIC, name, AclOperation.READ))
    broker.allow("auditor", (ResourceType.GROUP, _GROUP, AclOperation.DESCRIBE))
    member = Consumer({**broker.inside, "group.id": "others", "log_level": 0})
    member.subscribe(["table"])
    while not member.assignment():
        member.poll(0.05)
    with topics.open("in", payment(0, 100), timeout_s=600.0) as producer:
        yield
        producer.abort_transaction(_WAIT_S)
    member.close()


def snapshot(client_config: Mapping[str, str]) -> dict[str, Any]:
    """Everything that a cluster keeps, as its super user sees it."""
    admin = AdminClient({**client_config, "log_level": 0})
    raw = open_admin(client_config, timeout_s=_WAIT_S)
    with ClusterView(client_config) as view, TransactionView(client_config) as transactions:
        topics, groups = view.topics(), view.groups()
        everything = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            None,
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        taken = {
            "topics": {topic: (view.topic_id(topic), view.partitions(topic)) for topic in topics},
            "logs": {
                topic: (view.log_starts(topic), view.high_watermarks(topic)) for topic in topics
            },
            "configs": {topic: _config(admin, topic) for topic in topics},
            "groups": {
                group: (
                    view.group_state(group),
                    view.group_members(group),
                    {t: view.committed(group, t, require_stable=False) for t in topics},
                )
                for group in groups
            },
            "acls": sorted(map(str, admin.describe_acls(everything).result())),
            "transactions": sorted(map(str, raw.list_transactions().values())),
            "producers": {
                (topic, partition): sorted(map(str, transactions.producers(topic, partition)))
                for topic in topics
                for partition in view.partitions(topic)
            },
        }
    raw.close()
    return taken


def _config(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entries = admin.describe_configs([resource], request_timeout=_WAIT_S)[resource].result()
    return {name: str(entry.value) for name, entry in entries.items()}


_WHOLE = AuditSpec(
    output="out",
    input="in",
    group=_GROUP,
    id="json:/id",
    running_sum=RunningSum(amount="json:/amount", result="json:/balance"),
    final_state=FinalState(topic="table", amount="json:/amount", result="json:/total"),
    patience_s=0.5,
)
_HISTORY: list[Event] = [
    RunStarted(
        t=0.0, run_id="r", scenario="s", seed=1, started_at="2026-11-24T22:00:00Z", environment={}
    ),
    SendsAcknowledged(
        t=1.0, topic="in", identities=[0], partitions=[0], offsets=[0], intended=[0.5]
    ),
    GroupSampled(t=2.0, lag=0, committed={0: 3, 1: 3}, ends={0: 3, 1: 3}),
]


@pytest.mark.usefixtures("pipeline")
@pytest.mark.parametrize("reader", _READERS)
def test_an_audit_changes_nothing(broker: Secured, reader: Literal["auto", "client"]) -> None:
    before = snapshot(broker.inside)
    whole = msgspec.structs.replace(_WHOLE, reader=reader)
    report = run_audit(whole, client_config=broker.inside, history=_HISTORY)
    assert report.anomalies[Code.DUPLICATE] == 1, "evidence was looked up too"
    run_audit(AuditSpec(output="out", reader=reader, patience_s=0.5), client_config=broker.inside)
    assert snapshot(broker.inside) == before


@pytest.mark.usefixtures("pipeline")
@pytest.mark.parametrize("reader", _READERS)
@pytest.mark.parametrize(
    "wrong",
    [{"output": "uot"}, {"input": "ni"}, {"group": "pipelien"}, {"start": "committed:pipelien"}],
    ids=["output", "input", "group", "start"],
)
def test_a_wrong_name_is_refused_and_creates_nothing(
    broker: Secured, wrong: dict[str, str], reader: Literal["auto", "client"]
) -> None:
    before = snapshot(broker.inside)
    whole = _WHOLE if "start" not in wrong else AuditSpec(output="out", input="in")
    spec = msgspec.structs.replace(whole, reader=reader, **wrong)
    with pytest.raises(UsageError, match="no such"):
        run_audit(spec, client_config=broker.inside)
    assert snapshot(broker.inside) == before


@pytest.mark.usefixtures("pipeline")
def test_the_snapshot_would_show_it(broker: Secured) -> None:
    """Of the test itself: each thing that an audit could have done is seen."""
    before = snapshot(broker.inside)
    Topics(broker.inside).commit_offsets("new-group", "in", {0: 1})
    asked = Consumer(
        {**broker.inside, "group.id": "x", "allow.auto.create.topics": True, "log_level": 0}
    )
    asked.list_topics("new-topic", timeout=_WAIT_S)
    asked.close()
    Producer({**broker.inside, "transactional.id": "new", "log_level": 0}).init_transactions(
        _WAIT_S
    )
    after = snapshot(broker.inside)
    changed = {part for part in before if before[part] != after[part]}
    assert {"topics", "groups", "logs"} <= changed
    assert "new-topic" in after["topics"]
    assert "new-group" in after["groups"]


def test_a_cluster_that_never_had_a_group_gets_no_topic_but_kafkas_own(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """Kafka makes `__consumer_offsets` for the first client that looks for a group, and librdkafka
    looks for one that it never joins."""
    with sasl_ssl_broker(supervisor, tmp_path, auto_create_topics_enable="true") as fresh:
        topics = Topics(fresh.inside)
        for topic in ("in", "out"):
            topics.create(topic)
            topics.write(topic, payment(0, 1), payment(0, 2))
        spec = AuditSpec(output="out", input="in", id="json:/id")
        run_audit(spec, client_config=fresh.inside)
        with pytest.raises(UsageError, match="no such consumer group"):
            run_audit(msgspec.structs.replace(spec, group="none"), client_config=fresh.inside)
        with ClusterView(fresh.inside) as view:
            assert set(view.topics()) - {"__consumer_offsets"} == {"in", "out"}
