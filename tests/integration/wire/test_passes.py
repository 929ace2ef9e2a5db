"""Through the wire, clients do what they do without it, and every step of theirs is seen."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from eoscheck.wire import TopicRoles
from tests.integration.wire.clients import produce, producer, visible
from tests.integration.wire.conftest import WAIT_S, Wired


def test_a_transactional_client_is_served_and_its_steps_are_told(
    wired: Wired, fresh_name: Callable[[str], str]
) -> None:
    source, target, store = fresh_name("in"), fresh_name("out"), fresh_name("store-changelog")
    wired.create(source, target, store)
    wired.begin(
        TopicRoles(
            inputs=frozenset([source]), outputs=frozenset([target]), changelogs=frozenset([store])
        )
    )
    group, transactional_id = fresh_name("group"), fresh_name("tx")
    client = producer(wired, transactional_id=transactional_id)
    client.init_transactions(WAIT_S)
    produce(producer(wired, instance=1), source, "a")
    reader = _reader(wired, group, source)
    message = reader.poll(WAIT_S)
    assert message is not None
    for commits in (True, False):
        client.begin_transaction()
        produce(client, target, f"out {commits}")
        produce(client, store, f"store {commits}")
        client.send_offsets_to_transaction(
            [TopicPartition(source, 0, 1)], reader.consumer_group_metadata(), WAIT_S
        )
        if commits:
            client.commit_transaction(WAIT_S)
        else:
            client.abort_transaction(WAIT_S)
    reader.close()

    assert visible(wired, target) == ["out True"]
    steps = {each for exchange in wired.exchanges for each in exchange.steps}
    assert {
        *("InitProducerId", "AddPartitionsToTxn", "AddOffsetsToTxn", "TxnOffsetCommit"),
        *("Produce(input)", "Produce(output)", "Produce(changelog)", "EndTxn(commit)"),
        *("EndTxn(abort)", "FindCoordinator", "JoinGroup", "SyncGroup", "OffsetFetch"),
        *("Fetch(input)", "LeaveGroup", "Metadata", "ApiVersions"),
    } <= steps
    committed = wired.told("EndTxn(commit)")[0]
    assert committed.request.transactional_id == transactional_id
    assert (committed.instance, committed.outcome, committed.error) == (0, "answered", 0)
    assert committed.request.producer_id == wired.told("EndTxn(abort)")[0].request.producer_id
    offsets = wired.told("TxnOffsetCommit")[0].request
    assert (offsets.group, offsets.topics) == (group, (source,))
    assert offsets.generation == 1
    assert offsets.member_id
    assert wired.told("OffsetFetch")[0].request.requires_stable
    assert {each.instance for each in wired.told("Produce(input)")} == {1}


def _reader(wired: Wired, group: str, topic: str) -> Consumer:
    reader = Consumer(
        {
            "bootstrap.servers": wired.cluster.bootstrap_for(0),
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    reader.subscribe([topic])
    return reader
