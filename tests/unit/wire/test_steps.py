"""What a request is to an exactly-once app."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.wire import Request, TopicRoles
from eoscheck.wire.steps import matches, require_step, steps_of

ROLES = TopicRoles(
    inputs=frozenset(["in"]), outputs=frozenset(["out"]), changelogs=frozenset(["log"])
)


def request(api: str, *topics: str, **fields: Any) -> Request:
    return Request(
        api=api,
        api_key=0,
        api_version=0,
        correlation_id=1,
        client_id=None,
        size=10,
        topics=topics,
        **fields,
    )


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        (request("Produce", "out"), ("Produce(output)",)),
        (request("Produce", "log", "out"), ("Produce(output)", "Produce(changelog)")),
        (request("Produce", "in"), ("Produce(input)",)),
        (request("Produce", "repartition"), ("Produce(internal)",)),
        (request("Produce"), ("Produce",)),
        (request("Fetch", "in"), ("Fetch(input)",)),
        (request("Fetch", "log"), ("Fetch(restore)",)),
        (request("Fetch", "out", "repartition"), ("Fetch(internal)", "Fetch(output)")),
        (request("Fetch"), ("Fetch",)),
        (request("ListOffsets", "log", "in"), ("ListOffsets(input)", "ListOffsets(restore)")),
        (request("EndTxn", committed=True), ("EndTxn(commit)",)),
        (request("EndTxn", committed=False), ("EndTxn(abort)",)),
        (request("EndTxn"), ("EndTxn",)),
        (request("TxnOffsetCommit", "in"), ("TxnOffsetCommit",)),
        (request("api 999"), ("api 999",)),
    ],
)
def test_a_request_is_a_step_for_each_kind_of_its_topics(
    asked: Request, steps: tuple[str, ...]
) -> None:
    assert tuple(steps_of(asked, ROLES)) == steps


def test_a_topic_that_is_read_and_written_is_what_the_request_does_with_it() -> None:
    both = TopicRoles(inputs=frozenset(["loop"]), outputs=frozenset(["loop"]))
    assert steps_of(request("Produce", "loop"), both) == ("Produce(output)",)
    assert steps_of(request("Fetch", "loop"), both) == ("Fetch(input)",)


def test_a_rule_for_an_api_means_all_its_parts() -> None:
    assert matches("Produce", ["Produce(output)", "Produce(changelog)"])
    assert matches("Produce(changelog)", ["Produce(output)", "Produce(changelog)"])
    assert not matches("Produce(input)", ["Produce(output)", "Produce(changelog)"])
    assert not matches("EndTxn(commit)", ["EndTxn(abort)"])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("EndTx", r"Kafka has no API 'EndTx' \(did you mean 'EndTxn'"),
        ("EndTxn(comit)", r"did you mean 'EndTxn\(commit\)'"),
        ("Heartbeat(input)", "there is no step 'Heartbeat"),
        ("Produce(output", "there is no step"),
    ],
)
def test_a_step_that_no_request_can_be_is_refused(step: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        require_step(step)


def test_steps_that_requests_are_are_taken() -> None:
    for step in ("Produce", "Produce(output)", "EndTxn(abort)", "Fetch(restore)", "Heartbeat"):
        require_step(step)
