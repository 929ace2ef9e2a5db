"""Groups, formats and record checks through the whole engine, on a real broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from eoscheck.audit import AuditReport, AuditSpec, Code, Guarantee, Verdict, run_audit
from eoscheck.cluster import Cluster
from tests.integration.audit.writing import WAIT_S, Out, Topics, payment, receipt


def audit(
    topics: Topics, output: str, source: str | None = None, *, history: Any = (), **options: Any
) -> AuditReport:
    options = {"id": "json:/id", "patience_s": 2.0, **options}
    return run_audit(
        AuditSpec(output=output, input=source, **options),
        client_config=topics.client_config,
        history=history,
    )


def shown(report: AuditReport) -> list[tuple[str, str, int, list[int]]]:
    return [(f.code.value, f.topic, f.partition, f.offsets) for f in report.findings]


@pytest.fixture
def group(fresh_name: Callable[[str], str]) -> str:
    return fresh_name("app")


def test_offsets_beyond_the_outputs_are_ahead_and_each_input_is_lost(
    topics: Topics, pair: tuple[str, str], group: str
) -> None:
    source, output = pair
    inputs = topics.commit(source, *(payment(0, number) for number in range(6)))
    topics.commit(output, *(receipt(0, number) for number in (0, 1, 3)))
    topics.commit_offsets(group, source, {0: inputs[5] + 1})
    report = audit(topics, output, source, group=group)
    assert shown(report) == [
        ("LOST", source, 0, [inputs[2]]),
        ("LOST", source, 0, [inputs[4]]),
        ("LOST", source, 0, [inputs[5]]),
        ("OFFSET_AHEAD", source, 0, [inputs[4], inputs[5]]),
    ]
    ahead = report.findings[-1]
    assert ahead.identity == 4
    assert ahead.evidence["missing"] == 2
    assert audit(topics, output, source, group=group, offsets="informational").anomalies == {
        Code.LOST: 3
    }
    assert (
        Code.OFFSET_AHEAD not in audit(topics, output, source, group=group, sample="1/2").anomalies
    )


def test_outputs_of_what_will_be_read_again_are_behind(
    topics: Topics, pair: tuple[str, str], group: str
) -> None:
    source, output = pair
    inputs = topics.commit(source, *(payment(0, number) for number in range(4)))
    topics.commit(output, *(receipt(0, number) for number in range(3)))
    topics.commit_offsets(group, source, {0: inputs[1]})
    report = audit(topics, output, source, group=group)
    assert shown(report) == [("OFFSET_BEHIND", source, 0, [inputs[1], inputs[2]])]
    lenient = audit(topics, output, source, group=group, expect=Guarantee.AT_LEAST_ONCE)
    assert (lenient.verdict, lenient.allowed) == (Verdict.PASS, {Code.OFFSET_BEHIND: 1})
    assert audit(topics, output, source, group=group, offsets="informational").anomalies == {
        Code.LOST: 1
    }


def test_a_group_that_went_back_is_found_and_a_plain_commit_is_a_hazard(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], group: str
) -> None:
    source, output = pair
    inputs = topics.commit(source, *(payment(0, number) for number in range(4)))
    topics.commit(output, *(receipt(0, number) for number in range(4)))
    topics.commit_offsets(group, source, {0: inputs[3] + 1})
    topics.commit_offsets(group, source, {0: inputs[2]})
    topics.commit_offsets(group, source, {0: inputs[3] + 1})
    report = audit(topics, output, source, group=group)
    assert shown(report) == [("OFFSET_REGRESSION", source, 0, [inputs[2], inputs[3] + 1])]
    assert len(report.findings[0].evidence["commits"]) == 2
    assert report.scope == []


def test_several_outputs_filters_and_parts_are_counted_as_declared(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair

    def order(number: int, kind: str) -> Out:
        value = {"seq": number, "kind": kind}
        return Out(0, value, key="k", headers=[("shop", b"a")])

    def line(number: int) -> Out:
        return Out(0, {"seq": number}, key="k", headers=[("shop", b"a")])

    inputs = topics.commit(source, order(1, "order"), order(2, "refund"), order(3, "order"))
    one = [line(1), line(1), line(3), line(3)]
    topics.commit(output, *one)
    options = {
        "id": "header:shop+json:/seq",
        "per_input": "2",
        "input_filter": "json:/kind=order",
        "order": "none",
    }
    assert audit(topics, output, source, **options).verdict is Verdict.PASS
    topics.commit(output, line(2), line(3))
    report = audit(topics, output, source, **options)
    assert {(f.code, f.identity) for f in report.findings} == {
        (Code.DUPLICATE, "a+3"),
        (Code.PHANTOM, "a+2"),
    }
    lost = audit(topics, output, source, **{**options, "per_input": "3"})
    assert (Code.LOST, [inputs[0]]) in [(f.code, f.offsets) for f in lost.findings]


def test_messagepack_on_one_side_and_json_on_the_other_belong_together(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(5)))
    topics.commit(output, *(Out(0, msgspec.msgpack.encode({"pid": n})) for n in (0, 1, 2, 4)))
    report = audit(topics, output, source, id="msgpack:/pid", input_id="json:/id")
    assert [(f.code, f.identity) for f in report.findings] == [(Code.LOST, 3)]


@pytest.mark.parametrize("reader", ["fast", "client"])
def test_a_client_s_own_partitioner_is_found_where_java_s_was_declared(
    cluster: Cluster, topics: Topics, fresh_name: Callable[[str], str], reader: str
) -> None:
    topic = topics.create(fresh_name("receipts"), 3)
    for partitioner, wrong in (("murmur2_random", False), ("consistent_random", True)):
        producer = Producer({**cluster.client_config, "partitioner": partitioner})
        for number in range(60):
            producer.produce(topic, b'{"id": %d}' % number, b"acct-%d" % number)
        assert producer.flush(WAIT_S) == 0
        report = audit(
            topics, topic, partitioner="murmur2", order="none", reader=reader, id="value"
        )
        assert (report.anomalies.get(Code.MISPARTITIONED, 0) > 20) is wrong
        assert report.counts["partitioned_records"] == (120 if wrong else 60)
