"""Brokers that are no Kafka, and brokers that say nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Producer

from eoscheck.cluster import Cluster
from eoscheck.explore.broker_exam import PROMISES, Verdict, examine_broker, find_promises
from tests.integration.audit.fetch_proxy import HOST, Fate, FetchProxy, opened, port_of

_END_TXN = 26
_TIMEOUT_S = 1.0


@pytest.fixture
def mock() -> Iterator[dict[str, str]]:
    """librdkafka's mock cluster, in this process. Only its metadata tells where it listens."""
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = owner.list_topics(timeout=10).brokers.values()
    yield {"bootstrap.servers": f"{broker.host}:{broker.port}"}
    del owner


@dataclass
class ForgetfulOfEnds(FetchProxy):
    """No EndTxn is ever answered."""

    def fate(self, key: int) -> Fate:
        return "keep" if key == _END_TXN else "pass"


def test_librdkafkas_mock_cluster_keeps_none_of_them(mock: dict[str, str]) -> None:
    result = examine_broker(mock, broker="mock", timeout_s=_TIMEOUT_S, expiry_s=_TIMEOUT_S)
    found = {each.name: each for each in result.promises}
    # It lets a member join after 3 s, which is longer than the exam was told to wait.
    unknown = found.pop("members")
    assert unknown.verdict is Verdict.UNKNOWN
    assert "JoinGroup" in (unknown.reason or "")
    assert found.pop("own-epochs").verdict is Verdict.NOT_OFFERED
    assert {each.verdict for each in found.values()} == {Verdict.BROKEN}
    assert result.exit_code == 1
    for name, evidence in {
        "aborted-hidden": "shown aborted, committed instead of committed",
        "last-stable-offset": "LSO 3 instead of 1",
        "fencing": "EndTxn(commit, producer",
        "atomic-offsets": "no offset instead of 7",
        "idempotence": "sequence 0) -> offset 5",
        "expiry": "late commit is refused: EndTxn(commit, producer",
        "stable-offsets": "OffsetFetch",
        "late-records": "sequence 1) -> offset 2",
    }.items():
        assert any(evidence in line for line in found[name].evidence), found[name]
    # Everything that was said is there, and what could not be taken away.
    assert "EndTxn(abort" in str(found["aborted-hidden"].exchanges)
    assert any("DeleteGroups" in line for line in result.left_behind)


def test_nobody_at_that_address_leaves_all_unknown() -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        address = f"{HOST}:{free.getsockname()[1]}"
    result = examine_broker({"bootstrap.servers": address}, broker=address, timeout_s=_TIMEOUT_S)
    assert {each.verdict for each in result.promises} == {Verdict.UNKNOWN}
    assert all(address in (each.reason or "") for each in result.promises)
    assert result.exit_code == 2


def test_a_broker_that_takes_connections_and_is_silent_does_not_hold_us_up() -> None:
    with socket.create_server((HOST, 0)) as silent:
        address = f"{HOST}:{silent.getsockname()[1]}"
        started = time.monotonic()
        result = examine_broker(
            {"bootstrap.servers": address}, broker=address, timeout_s=_TIMEOUT_S
        )
        took = time.monotonic() - started
    assert {each.verdict for each in result.promises} == {Verdict.UNKNOWN}
    assert took < len(PROMISES) * _TIMEOUT_S, "each promise waited for itself"


def test_an_answer_that_never_comes_leaves_its_promise_unknown(cluster: Cluster) -> None:
    with opened(ForgetfulOfEnds(broker_port=port_of(cluster.direct_servers))) as proxy:
        result = examine_broker(
            {"bootstrap.servers": f"{HOST}:{proxy.port}"},
            broker="forgetful",
            promises=find_promises(["aborted-hidden", "idempotence"]),
            timeout_s=_TIMEOUT_S,
        )
    hidden, idempotence = result.promises
    assert hidden.verdict is Verdict.UNKNOWN
    assert "EndTxn(abort" in (hidden.reason or "")
    assert "no answer" in (hidden.reason or "")
    assert idempotence.verdict is Verdict.KEPT, "the next promise is examined all the same"
    assert result.exit_code == 2
