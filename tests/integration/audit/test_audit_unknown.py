"""What cannot be read or judged is unknown, in bounded time, and never a pass or a false alarm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from eoscheck.audit import AuditSpec, Code, FinalState, RunningSum, Verdict, run_audit
from eoscheck.audit.readers.evaluate import Evaluator
from eoscheck.audit.readers.scan import Span, committed_reader, read_committed
from eoscheck.cluster import Cluster, ClusterView
from eoscheck.errors import UsageError
from tests.integration.audit.stray import PRODUCER_ID, write_stray_batch
from tests.integration.audit.test_audit_planted import audit, shown
from tests.integration.audit.writing import WAIT_S, Out, Topics, payment, receipt
from tests.unit.audit.topics import store


def delete_below(topics: Topics, topic: str, partition: int, offset: int) -> None:
    admin = AdminClient({**topics.client_config, "log_level": 0})
    for answer in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        answer.result(WAIT_S)


def test_an_open_transaction_makes_the_verdict_unknown_within_the_patience(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, payment(0, 1), payment(0, 2))
    topics.commit(output, receipt(0, 1))
    with topics.open(output, receipt(0, 2)):
        began = time.monotonic()
        report = audit(topics, output, source, patience_s=1.0)
        took = time.monotonic() - began
    assert report.verdict is Verdict.UNKNOWN
    assert report.findings == []
    reasons = {unknown.subject: unknown.reason for unknown in report.unknowns}
    assert "still open after 1 s" in reasons[f"{output}-0@2"]
    assert "may have had them" in reasons["LOST"]
    assert took < 20


def test_an_open_transaction_is_followed_to_its_marker(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, payment(0, 1), payment(0, 2))
    topics.commit(output, receipt(0, 1))
    with topics.open(output, receipt(0, 2)) as producer:
        commit = threading.Timer(1.0, producer.commit_transaction)
        commit.start()
        report = audit(topics, output, source, patience_s=30.0)
        commit.join()
    assert (report.verdict, report.unknowns) == (Verdict.PASS, [])


def test_a_transaction_that_its_coordinator_does_not_know_is_hanging(
    lenient_cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    topics = Topics(lenient_cluster.client_config)
    source, output = topics.create(fresh_name("in"), 2), topics.create(fresh_name("out"), 2)
    topics.commit(source, payment(0, 1))
    topics.commit(output, receipt(0, 1))
    offset = write_stray_batch(topics.client_config, output, 1, b'{"id": 7}')
    report = audit(topics, output, source, patience_s=0.5)
    assert report.verdict is Verdict.FAIL
    assert shown(report) == [("HANGING_TRANSACTION", 1, [offset], 7)]
    assert report.findings[0].evidence["producer_id"] == PRODUCER_ID


def test_compaction_leaves_holes_that_are_no_losses(
    lenient_cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    topics = Topics(lenient_cluster.client_config)
    eager = {"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0.001"}
    eager |= {"segment_bytes": "1048576", "segment_ms": "100", "delete_retention_ms": "0"}
    source, output = topics.create(fresh_name("in")), topics.create(fresh_name("table"), **eager)
    topics.commit(source, *(payment(0, number) for number in range(20)))
    topics.commit(output, *(receipt(0, number) for number in range(10)))
    topics.commit(output, *(receipt(0, number) for number in range(10, 20)))

    def first_value() -> int:
        with committed_reader(topics.client_config) as consumer:
            consumer.assign([TopicPartition(output, 0, 0)])
            message = consumer.poll(WAIT_S)
            assert message is not None
            return message.offset() or 0

    until = time.monotonic() + WAIT_S
    while first_value() < 10:
        assert time.monotonic() < until, "the cleaner did not run"
        time.sleep(0.2)
        topics.commit(output, Out(0, {"id": 19}, key="other"))  # rolls the segment
    report = audit(topics, output, source, id="json:/id")
    assert Code.LOST not in report.anomalies
    assert Code.GAP not in report.anomalies
    assert any("is compacted" in unknown.reason for unknown in report.unknowns)


def test_removed_input_makes_its_outputs_unknown_and_no_phantoms(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(6)))
    topics.commit(output, *(receipt(0, number) for number in range(6)))
    delete_below(topics, source, 0, 3)
    report = audit(topics, output, source)
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, [])
    (unknown,) = report.unknowns
    assert unknown.subject == Code.PHANTOM
    assert f"records of {source}-0 below offset 3 were removed" in unknown.reason


def test_removed_output_makes_its_inputs_unknown_and_not_lost(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(6)))
    topics.commit(output, *(receipt(0, number) for number in range(6)))
    delete_below(topics, output, 0, 2)
    report = audit(topics, output, source)
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, [])
    assert [unknown.subject for unknown in report.unknowns] == [Code.LOST]


def test_records_deleted_under_the_reader_are_noticed(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, _output = pair
    topics.commit(source, *(payment(0, number) for number in range(6)))
    delete_below(topics, source, 0, 4)
    found = store(source, {})
    evaluator = Evaluator(source, found.wanted, sink=found)
    with committed_reader(topics.client_config) as consumer:
        # As it was planned before the deletion.
        reached = read_committed(
            source, {0: Span(start=0, cut=7)}, consumer=consumer, sink=evaluator
        )
    assert reached[0].lost_below == 4
    assert not reached[0].held
    assert list(found.records(0).offset) == [4, 5]


def test_records_that_the_expression_does_not_fit_are_counted_and_shown(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(4)))
    good = [receipt(0, number) for number in range(3)]
    bad = [Out(0, b"not json"), Out(0, {"other": 1}), Out(0, None, key="deleted")]
    places = topics.commit(output, *good, *bad)
    report = audit(topics, output, source)
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, [])
    reasons = {unknown.subject: unknown.reason for unknown in report.unknowns}
    shown_places = ", ".join(f"0@{place}" for place in places[3:])
    assert reasons[output] == (f"3 records do not fit json:/id (partition@offset {shown_places})")
    assert "have no identity" in reasons["LOST"]


def test_only_what_the_group_has_committed_is_due(topics: Topics, pair: tuple[str, str]) -> None:
    source, output = pair
    places = topics.commit(source, *(payment(0, number) for number in range(6)))
    topics.commit(output, *(receipt(0, number) for number in (0, 2)))
    group = f"{output}-group"
    topics.commit_offsets(group, source, {0: places[3]})
    report = audit(topics, output, source, group=group)
    assert shown(report) == [("LOST", 0, [places[1]], 1)]
    assert report.counts["due_records"] == 3
    topics.commit_offsets(group, source, {0: places[5] + 1})
    report = audit(topics, output, source, group=group)
    lost = [found.identity for found in report.findings if found.code is Code.LOST]
    assert lost == [1, 3, 4, 5]
    (ahead,) = (found for found in report.findings if found.code is Code.OFFSET_AHEAD)
    assert ahead.offsets == [places[3], places[5]]


def test_a_partition_that_the_group_never_committed_is_unknown(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    places = topics.commit(source, payment(0, 1), payment(1, 2))
    topics.commit(output, receipt(0, 1))
    topics.commit_offsets(f"{output}-group", source, {0: places[0] + 1})
    report = audit(topics, output, source, group=f"{output}-group")
    assert (report.verdict, report.findings) == (Verdict.UNKNOWN, [])
    assert [unknown.subject for unknown in report.unknowns] == [f"{source}-1"]


def test_offsets_held_by_an_open_transaction_are_unknown(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    places = topics.commit(source, payment(0, 1))
    group = f"{output}-group"
    topics.commit_offsets(group, source, {0: places[0]})
    consumer = Consumer({**topics.client_config, "group.id": group, "log_level": 0})
    with topics.open(output, receipt(0, 1)) as producer:
        producer.send_offsets_to_transaction(
            [TopicPartition(source, 0, places[0] + 1)], consumer.consumer_group_metadata(), WAIT_S
        )
        report = audit(topics, output, source, group=group, patience_s=1.0)
        assert report.verdict is Verdict.UNKNOWN
        assert any("open transaction" in unknown.reason for unknown in report.unknowns)
        producer.commit_transaction(WAIT_S)
    consumer.close()
    assert audit(topics, output, source, group=group).verdict is Verdict.PASS


def test_without_a_group_the_missing_tail_of_a_subject_at_work_is_unknown(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(4)))
    topics.commit(output, receipt(0, 0), receipt(0, 2))
    at_work = threading.Timer(1.0, topics.commit, (output, receipt(0, 3)))
    at_work.start()
    report = audit(topics, output, source, patience_s=10.0)
    at_work.join()
    assert [found.identity for found in report.findings] == [1]
    assert any("still at work" in unknown.reason for unknown in report.unknowns)


def test_balances_at_the_end_are_held_against_the_input(
    topics: Topics, pair: tuple[str, str], fresh_name: Callable[[str], str]
) -> None:
    source, output = pair
    table = topics.create(fresh_name("balances"), 2, cleanup_policy="compact")
    topics.commit(source, *(payment(0, number, 10, "abcd"[number % 4]) for number in range(8)))
    topics.commit(output, *(receipt(0, number) for number in range(8)))

    def entry(account: str, balance: int | None) -> Out:
        return Out(1, None if balance is None else {"balance": balance}, key=account)

    places = topics.commit(
        table, entry("a", 10), entry("a", 20), entry("b", 15), entry("d", 20), entry("x", 5)
    )
    topics.abort(table, entry("a", 99))
    state = FinalState(topic=table, amount="json:/amount", result="json:/balance")
    report = audit(topics, output, source, final_state=state)
    found = {f.identity: (f.partition, f.offsets, f.detail) for f in report.findings}
    assert {name: place[:2] for name, place in found.items()} == {
        "b": (1, [places[2]]),
        "c": (0, []),
        "x": (1, [places[4]]),
    }
    assert found["c"][2].startswith("no value, expected 20")
    topics.commit(table, entry("b", 20), entry("c", 20), entry("x", None))
    assert audit(topics, output, source, final_state=state).verdict is Verdict.PASS


def test_balances_of_keys_that_the_subject_worked_on_meanwhile_are_not_judged(
    topics: Topics, pair: tuple[str, str], fresh_name: Callable[[str], str]
) -> None:
    source, output = pair
    group, table = fresh_name("group"), topics.create(fresh_name("balances"))
    inputs = topics.commit(source, *(payment(0, n, 10, who) for n, who in enumerate("aba")))
    topics.commit_offsets(group, source, {0: inputs[2]})
    topics.commit(output, receipt(0, 0), receipt(0, 1))
    topics.commit(table, Out(0, {"balance": 20}, key="a"), Out(0, {"balance": 99}, key="b"))
    progressed = []

    def work_on(step: str, done: int, total: int) -> None:
        if step == f"reading {source}" and not progressed:
            progressed.append(step)
            topics.commit_offsets(group, source, {0: inputs[2] + 1})

    state = FinalState(topic=table, amount="json:/amount", result="json:/balance")
    report = run_audit(
        AuditSpec(output=output, input=source, group=group, id="json:/id", final_state=state),
        client_config=topics.client_config,
        progress=work_on,
    )
    assert progressed
    assert [(f.code, f.identity) for f in report.findings] == [(Code.WRONG_RESULT, "b")]
    assert any("at work on them" in unknown.reason for unknown in report.unknowns)
    again = audit(topics, output, source, group=group, final_state=state)
    assert [(f.code, f.identity) for f in again.findings] == [
        (Code.LOST, 2),
        (Code.WRONG_RESULT, "b"),
        (Code.OFFSET_AHEAD, 2),
    ]


def test_an_audit_leaves_the_cluster_as_it_was(topics: Topics, pair: tuple[str, str]) -> None:
    source, output = pair
    places = topics.commit(source, payment(0, 1))
    topics.commit(output, receipt(0, 1))
    group = f"{output}-group"
    topics.commit_offsets(group, source, {0: places[0] + 1})
    with ClusterView(topics.client_config) as view:

        def state() -> object:
            topic_ends = {name: view.high_watermarks(name) for name in (source, output)}
            return view.groups(), view.topics(), topic_ends, view.committed(group, source)

        before = state()
        audit(topics, output, source, group=group)
        assert state() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"id": "jsn:/id"}, "did you mean 'json:/id'"),
        ({"group": "g", "input": None}, "--group needs --input"),
        ({"group": "nobody"}, "no such consumer group 'nobody'"),
        ({"output": "no-such-topic"}, "no such topic 'no-such-topic'"),
        ({"running_sum": RunningSum(amount="x", result="y")}, "not an identity expression"),
    ],
)
def test_a_bad_request_is_refused_in_one_line(
    topics: Topics, pair: tuple[str, str], options: dict[str, object], words: str
) -> None:
    source, output = pair
    with pytest.raises(UsageError) as refused:
        run_audit(
            AuditSpec(**{"output": output, "input": source, **options}),  # type: ignore[arg-type]
            client_config=topics.client_config,
        )
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
