"""Whole audits through a proxy that lies, and the hazards that coordinators tell of."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Literal

import pytest
from confluent_kafka import Producer

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.audit.batches.habits import find_habits
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.findings import HazardCode
from eoscheck.audit.readers.headers import read_headers
from eoscheck.audit.readers.scan import Span
from eoscheck.cluster import ClusterView
from eoscheck.cluster.raw_log import RawLog
from tests.integration.audit.fetch_proxy import Answer, base_offset, fetch_proxy, flipped
from tests.integration.audit.writing import WAIT_S, Topics, receipt

READERS = pytest.mark.parametrize("reader", ["fast", "client"])


@pytest.fixture
def output(topics: Topics, fresh_name: Callable[[str], str]) -> str:
    return topics.create(fresh_name("receipts"))


def audit(topics: Topics, topic: str, lie: Any, reader: Literal["fast", "client"]) -> AuditReport:
    with fetch_proxy(topics.client_config["bootstrap.servers"], lie) as proxy:
        return run_audit(
            AuditSpec(output=topic, id="json:/id", reader=reader, patience_s=2.0),
            client_config={
                **topics.client_config,
                "bootstrap.servers": f"127.0.0.1:{proxy.port}",
            },
        )


@READERS
def test_a_cut_within_a_transaction_loses_none_of_its_records(
    topics: Topics, output: str, reader: Literal["fast", "client"]
) -> None:
    """As a subject at work leaves it: what lies beyond the cut was not asked for."""
    topics.commit(output, *(receipt(0, number) for number in range(5)))
    spec = AuditSpec(output=output, id="json:/id", reader=reader, patience_s=2.0, stop="2")
    report = run_audit(spec, client_config=topics.client_config)
    assert (report.anomalies, report.counts["output_records"]) == ({}, 2)


@READERS
def test_an_aborted_record_that_is_shown_is_found_with_its_evidence(
    topics: Topics, output: str, reader: Literal["fast", "client"]
) -> None:
    topics.commit(output, *(receipt(0, number) for number in range(3)))
    aborted = topics.abort(output, receipt(0, 3), receipt(0, 4))
    topics.commit(output, *(receipt(0, number) for number in range(5, 8)))
    report = audit(topics, output, lambda answer: Answer(answer.batches, []), reader)
    assert report.verdict is Verdict.FAIL
    (finding,) = [each for each in report.findings if each.code is Code.ABORTED_VISIBLE]
    assert (finding.partition, finding.offsets, finding.identity) == (0, aborted, 3)
    assert finding.evidence["transaction"]["marker"] == "abort"
    (shown,) = finding.evidence["at"]
    assert shown["at"] == f"{output}-0@{aborted[0]}"
    assert shown["transactional_id"].startswith(output)
    assert shown["transaction"]["outcome"] == "aborted"
    assert shown["batches"]["before"]["marker"] == "commit"
    assert shown["batches"]["after"]["marker"] == "abort"
    assert shown["time"].startswith("20")


@READERS
def test_an_honest_topic_is_silent_and_its_transactions_are_counted(
    topics: Topics, output: str, reader: Literal["fast", "client"]
) -> None:
    topics.commit(output, *(receipt(0, number) for number in range(3)))
    topics.abort(output, receipt(0, 3), receipt(0, 4))
    topics.commit(output, *(receipt(0, number) for number in range(3, 6)))
    report = audit(topics, output, lambda answer: answer, reader)
    assert (report.verdict, report.findings, report.hazards) == (Verdict.PASS, [], [])
    (figures,) = report.transactions
    assert (figures.committed, figures.aborted, figures.committed_records) == (2, 1, 6)


def test_a_broken_batch_is_corrupt_and_no_pass(topics: Topics, output: str) -> None:
    places = topics.commit(output, *(receipt(0, number) for number in range(3)))
    topics.commit(output, *(receipt(0, number) for number in range(3, 6)))

    def lie(answer: Answer) -> Answer:
        batches = [
            flipped(batch) if base_offset(batch) == places[0] else batch for batch in answer.batches
        ]
        return Answer(batches, answer.aborted)

    report = audit(topics, output, lie, "fast")
    assert report.verdict is Verdict.FAIL
    assert report.anomalies[Code.CORRUPTED] == 1


def viewed(topics: Topics, topic: str) -> RawView:
    with ClusterView(topics.client_config) as cluster:
        end = cluster.high_watermarks(topic)[0]
    view = RawView(topic, limit=10)
    with RawLog(topics.client_config) as log:
        read_headers(topic, {0: Span(start=0, cut=end)}, log=log, view=view)
    return view


@pytest.mark.parametrize("fresh", [True, False])
def test_restarts_with_a_fresh_name_are_told_from_restarts_with_the_same(
    topics: Topics, output: str, fresh: bool
) -> None:
    name = str(uuid.uuid4())
    for _ in range(4):
        name = str(uuid.uuid4()) if fresh else name
        restarted = Producer(
            {**topics.client_config, "transactional.id": f"{output}-{name}-0", "log_level": 0}
        )
        restarted.init_transactions(WAIT_S)
        restarted.begin_transaction()
        restarted.produce(output, value=b"{}", partition=0)
        restarted.commit_transaction(WAIT_S)
    hazards = find_habits([viewed(topics, output)], client_config=topics.client_config)
    assert [each.code for each in hazards] == [HazardCode.FRESH_TRANSACTIONAL_ID] * fresh
    if fresh:
        assert hazards[0].facts["successions"] == 3
        assert f"'{output}-*-0'" in hazards[0].detail


def test_a_time_out_above_the_recovery_objective_is_told_by_its_coordinator(
    topics: Topics, output: str
) -> None:
    with topics.transaction(output, timeout_s=45.0) as producer:
        producer.produce(output, value=b"{}", partition=0)
        producer.commit_transaction(WAIT_S)
    view = viewed(topics, output)
    config = topics.client_config
    assert find_habits([view], client_config=config, recovery_objective_s=60.0) == []
    (hazard,) = find_habits([view], client_config=config, recovery_objective_s=30.0)
    assert hazard.code is HazardCode.TIMEOUT_TOO_LONG
    assert hazard.facts["timeout_ms"] == 45_000
    assert hazard.facts["transactional_ids"][0].startswith(output)
