"""One offset's story, on a real broker, and what a finding shows beside its places."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from eoscheck.audit.forensics.explain import Story, What, explain, parse_place
from eoscheck.audit.forensics.writers import Writers
from eoscheck.audit.rows.records import Place
from eoscheck.cluster import Cluster
from eoscheck.errors import UsageError
from tests.integration.audit.fetch_proxy import Answer, base_offset, fetch_proxy, flipped
from tests.integration.audit.stray import PRODUCER_ID, write_stray_batch
from tests.integration.audit.test_audit_unknown import delete_below
from tests.integration.audit.writing import WAIT_S, Out, Topics, receipt


@pytest.fixture
def output(topics: Topics, fresh_name: Callable[[str], str]) -> str:
    return topics.create(fresh_name("receipts"))


def story(topics: Topics, topic: str, offset: int) -> Story:
    return explain(topic, 0, offset, client_config=topics.client_config)


def test_a_committed_record_is_told_with_its_transaction_and_its_neighbours(
    topics: Topics, output: str
) -> None:
    topics.commit(output, receipt(0, 1))
    first, second = topics.commit(
        output, Out(0, b"hello", key="k", headers=[("trace", b"7")]), receipt(0, 3)
    )
    topics.commit(output, receipt(0, 4))
    told = story(topics, output, first)
    assert (told.what, told.visible) == (What.RECORD, True)
    assert told.content is not None
    assert (told.content.key, told.content.value) == ("k", "hello")
    assert told.content.headers == [("trace", "7")]
    assert told.transaction is not None
    assert told.transaction.first_offset == first
    assert (told.transaction.outcome, told.transaction.marker_offset) == ("committed", second + 1)
    assert told.transactional_id is not None
    assert told.transactional_id.name.startswith(output)
    assert told.before is not None
    assert (told.before.marker, told.before.first_offset) == ("commit", first - 1)
    assert told.after is not None
    text = "\n".join(told.lines())
    assert "a read_committed reader is given it: its transaction was committed by" in text
    assert "key 'k', value 'hello'" in text
    assert told.contradiction is None


def test_an_aborted_record_is_told_and_so_is_its_marker(topics: Topics, output: str) -> None:
    topics.commit(output, receipt(0, 1))
    aborted = topics.abort(output, receipt(0, 2), receipt(0, 3))
    told = story(topics, output, aborted[1])
    assert (told.what, told.visible) == (What.RECORD, False)
    assert told.transaction is not None
    assert (told.transaction.first_offset, told.transaction.outcome) == (aborted[0], "aborted")
    marker = story(topics, output, aborted[1] + 1)
    assert (marker.what, marker.visible) == (What.MARKER, False)
    assert "the abort marker of producer" in marker.lines()[0]
    assert marker.transaction is not None
    assert marker.transaction.first_offset == aborted[0]


def test_an_open_transaction_holds_the_offsets_after_it_too(topics: Topics, output: str) -> None:
    with topics.open(output, receipt(0, 1)):
        (after,) = topics.write(output, receipt(0, 2))
        told = story(topics, output, after)
        assert (told.visible, told.ends.last_stable_offset) == (None, 0)
        (holder,) = told.holders
        assert holder.transactional_id is not None
        assert holder.transactional_id.startswith(output)
        assert (holder.open_since, holder.timeout_ms) == (0, 60_000)
        text = "\n".join(told.lines())
        assert "holds the last stable offset: producer" in text
        mine = story(topics, output, 0)
        assert mine.transaction is not None
        assert mine.transaction.outcome is None
        assert mine.visible is None


def test_a_record_outside_transactions_is_visible(topics: Topics, output: str) -> None:
    (place,) = topics.write(output, receipt(0, 1))
    told = story(topics, output, place)
    assert (told.visible, told.transaction, told.before) == (True, None, None)


def test_a_producer_that_no_coordinator_knows_is_told_so(
    lenient_cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    topics = Topics(lenient_cluster.client_config)
    output = topics.create(fresh_name("out"))
    offset = write_stray_batch(topics.client_config, output, 0, b"stray")
    told = story(topics, output, offset)
    (holder,) = told.holders
    assert (holder.producer_id, holder.transactional_id) == (PRODUCER_ID, None)
    assert any("no coordinator knows it" in line for line in told.lines())


def test_what_is_not_in_the_log_is_told_apart(topics: Topics, output: str) -> None:
    topics.commit(output, *(receipt(0, number) for number in range(5)))
    delete_below(topics, output, 0, 3)
    assert story(topics, output, 1).what is What.BELOW_START
    beyond = story(topics, output, 6)
    assert (beyond.what, beyond.visible) == (What.BEYOND_END, False)
    assert "the next offset is 6" in beyond.why
    there = story(topics, output, 4)
    assert there.what is What.RECORD
    assert there.transaction is not None
    assert there.transaction.begins_at_log_start


def test_what_compaction_took_is_told_so(
    lenient_cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    topics = Topics(lenient_cluster.client_config)
    output = topics.create(
        fresh_name("table"),
        cleanup_policy="compact",
        min_cleanable_dirty_ratio="0.001",
        segment_bytes="1048576",
        segment_ms="100",
    )
    (old,) = topics.commit(output, Out(0, b"old", key="a"))
    topics.commit(output, Out(0, b"new", key="a"))
    until = time.monotonic() + WAIT_S
    while (told := story(topics, output, old)).what is not What.NOTHING:
        assert time.monotonic() < until, "the cleaner did not run"
        time.sleep(0.2)
        topics.commit(output, Out(0, b"", key="z"))  # rolls the segment
    assert told.visible is False
    assert "compaction removed it" in told.why


def test_a_broken_batch_is_told_so(topics: Topics, output: str) -> None:
    (place,) = topics.commit(output, receipt(0, 1))

    def lie(answer: Answer) -> Answer:
        batches = [
            flipped(batch) if base_offset(batch) == place else batch for batch in answer.batches
        ]
        return Answer(batches, answer.aborted)

    with fetch_proxy(topics.client_config["bootstrap.servers"], lie) as proxy:
        config = {**topics.client_config, "bootstrap.servers": f"127.0.0.1:{proxy.port}"}
        told = explain(output, 0, place, client_config=config)
    assert (told.what, told.visible) == (What.BROKEN, None)
    assert any("BROKEN" in line for line in told.lines())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "receipts",
        "receipts/0",
        "receipts/x/1",
        "receipts/0/-1",
        "/0/1",
        "receipts/0/1/",
        "r/٣/1",
    ],
)
def test_a_place_in_another_form_is_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(UsageError, match="TOPIC/PARTITION/OFFSET"):
        parse_place(text)


def test_a_place_is_read() -> None:
    assert parse_place("receipts/3/1842") == Place("receipts", 3, 1842)


def test_a_topic_or_partition_that_is_not_there_is_named(topics: Topics, output: str) -> None:
    with pytest.raises(UsageError, match="no such topic"):
        story(topics, "no-such-topic-at-all", 0)
    with pytest.raises(UsageError, match="has no partition 7"):
        explain(output, 7, 0, client_config=topics.client_config)


def test_a_finding_s_place_is_shown_with_its_batches_and_its_transaction(
    topics: Topics, output: str
) -> None:
    topics.commit(output, receipt(0, 1))
    first, last = topics.commit(output, receipt(0, 2), receipt(0, 3))
    topics.abort(output, receipt(0, 4))
    with Writers(topics.client_config) as writers:
        shown = writers.of(Place(output, 0, last))
        again = writers.of(Place(output, 0, first))
        assert writers.of(Place(output, 0, last + 100)) == {}
    assert shown["transactional_id"].startswith(output)
    assert shown["batches"]["of"]["transactional"] is True
    assert shown["transaction"]["first_offset"] == first
    assert shown["transaction"]["marker_offset"] == last + 1
    assert shown["transaction"]["outcome"] == "committed"
    assert shown["transaction"]["duration_ms"] >= 0
    assert shown["transaction"] == again["transaction"]
    assert again["batches"]["before"]["marker"] == "commit"
