"""Real Kafka keeps every promise; a broker that breaks one is told so, with evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from kafka.protocol.consumer import (
    HeartbeatResponse,
    ListOffsetsRequest,
    OffsetFetchRequest,
    OffsetFetchResponse,
)
from kafka.protocol.metadata import ApiVersionsResponse
from kafka.protocol.producer import (
    AddOffsetsToTxnResponse,
    EndTxnRequest,
    EndTxnResponse,
    InitProducerIdRequest,
    ProduceRequest,
    ProduceResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

from eoscheck.cluster import Cluster
from eoscheck.cluster.view import ClusterView
from eoscheck.explore.broker_exam import (
    PROMISES,
    ExamResult,
    Verdict,
    examine_broker,
    find_promises,
)
from eoscheck.explore.broker_exam.exam import PREFIX
from tests.integration.audit.fetch_proxy import HOST, Answer
from tests.integration.explore.broker_exam import lying_broker as lies
from tests.integration.explore.broker_exam.lying_broker import Change, Kind, lying_broker


class Lie(NamedTuple):
    """What a broker does to break `promise`, and some words of the evidence."""

    promise: str
    changes: dict[Kind, Change]
    evidence: str
    lie: Callable[[Answer], Answer] | None = None


LIES = (
    Lie("aborted-hidden", {}, "shown aborted, committed instead of committed", lies.no_aborted),
    Lie(
        "aborted-hidden",
        {EndTxnRequest: lies.always_commit},
        "shown aborted, committed instead of committed",
    ),
    Lie("last-stable-offset", {ListOffsetsRequest: lies.uncommitted}, "LSO 3 instead of 1"),
    Lie("fencing", {EndTxnResponse: lies.no_error}, "epoch 0) -> OK"),
    Lie("fencing", {AddOffsetsToTxnResponse: lies.no_error}, "epoch 0) -> OK"),
    Lie("fencing", {ProduceResponse: lies.taken}, "epoch 0, sequence 1) -> offset -1"),
    Lie("fencing", {TxnOffsetCommitResponse: lies.no_partition_errors}, "99, producer"),
    Lie(
        "atomic-offsets",
        {EndTxnRequest: lies.always_commit},
        "no offset of an aborted transaction: offset 5",
    ),
    Lie("idempotence", {ProduceRequest: lies.no_producer}, "sequence 0) -> offset 5"),
    Lie("idempotence", {ProduceResponse: lies.taken}, "sequence 8) -> offset -1"),
    Lie("expiry", {InitProducerIdRequest: lies.patient}, "is ended by the coordinator: LSO 0 of 1"),
    Lie("stable-offsets", {OffsetFetchRequest: lies.any_offsets}, "require_stable) -> offset -1"),
    Lie("stable-offsets", {OffsetFetchResponse: lies.no_partition_errors}, "-> offset -1"),
    Lie("members", {TxnOffsetCommitRequest: lies.of_no_group}, "offsets of a stale generation"),
    Lie("members", {HeartbeatResponse: lies.no_error}, "is put out: Heartbeat("),
    Lie("late-records", {ProduceResponse: lies.taken}, "sequence 1) -> offset -1"),
    Lie("own-epochs", {EndTxnResponse: lies.no_new_epoch}, "gives a later epoch: producer"),
    Lie("own-epochs", {ProduceResponse: lies.taken}, "when it has ended: Produce('late'"),
    Lie("own-epochs", {TxnOffsetCommitResponse: lies.no_partition_errors}, "99, producer"),
    Lie("own-epochs", {EndTxnResponse: lies.no_error}, "late abort, in the next one: EndTxn(abort"),
    Lie("own-epochs", {ListOffsetsRequest: lies.uncommitted}, "LSO 1 instead of 0"),
)


def exam(config: dict[str, str], *names: str, **limits: Any) -> ExamResult:
    return examine_broker(config, broker="under test", promises=find_promises(names), **limits)


def test_real_kafka_keeps_every_promise_and_is_left_as_it_was(cluster: Cluster) -> None:
    result = exam(cluster.client_config)
    assert {each.verdict for each in result.promises} == {Verdict.KEPT}, result
    assert [each.name for each in result.promises] == [each.name for each in PROMISES]
    assert result.exit_code == 0
    assert result.left_behind == []
    with ClusterView(cluster.client_config) as view:
        assert not [name for name in view.topics() if name.startswith(PREFIX)]
        assert not [name for name in view.groups() if name.startswith(PREFIX)]


def test_an_exam_that_is_interrupted_leaves_nothing_behind(cluster: Cluster) -> None:
    def interrupted(line: str) -> None:
        if line.startswith("2 of 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exam(cluster.client_config, "idempotence", "stable-offsets", progress=interrupted)
    with ClusterView(cluster.client_config) as view:
        assert not [name for name in view.topics() if name.startswith(PREFIX)]


def test_every_promise_has_a_broker_here_that_breaks_it() -> None:
    assert {each.promise for each in LIES} == {each.name for each in PROMISES}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie.promise}-{LIES.index(lie)}")
def test_a_broker_that_breaks_a_promise_is_told_so(cluster: Cluster, lie: Lie) -> None:
    with lying_broker(cluster.direct_servers, changes=lie.changes, lie=lie.lie) as proxy:
        config = {"bootstrap.servers": f"{HOST}:{proxy.port}"}
        result = exam(config, lie.promise, expiry_s=1.0)
    (found,) = result.promises
    assert proxy.lies
    assert found.verdict is Verdict.BROKEN, found
    assert any(lie.evidence in line for line in found.evidence), found.evidence
    assert result.exit_code == 1


def test_what_a_broker_does_not_offer_is_no_broken_promise(cluster: Cluster) -> None:
    changes: dict[Kind, Change] = {ApiVersionsResponse: lies.an_older_protocol}
    with lying_broker(cluster.direct_servers, changes=changes) as proxy:
        config = {"bootstrap.servers": f"{HOST}:{proxy.port}"}
        result = exam(config, "idempotence", "own-epochs")
    kept, other = result.promises
    assert (kept.verdict, other.verdict) == (Verdict.KEPT, Verdict.NOT_OFFERED)
    assert other.evidence == ["transaction.version is 1; this is offered from 2 on"]
    assert not any("Produce" in line for line in other.exchanges)
    assert result.exit_code == 0
