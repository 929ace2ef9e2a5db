"""The properties the guarantees rest on, as the clients are given them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reference_app.streams import clients as module
from reference_app.streams.clients import Clients
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.options import StreamsOptions


def make(**properties: str) -> Clients:
    options = StreamsOptions(
        application_id="app",
        bootstrap_server="127.0.0.1:1",
        group_instance_id="member",
        client_properties={name.replace("__", "."): value for name, value in properties.items()},
    )
    return Clients(options=options, client_id="app-1", consumer_overrides={})


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What each kind of client was made with, by kind."""
    seen: dict[str, dict[str, Any]] = {}

    def fake(kind: str) -> Callable[[dict[str, Any]], object]:
        return lambda properties: seen.__setitem__(kind, properties) or object()

    monkeypatch.setattr(module, "Consumer", fake("consumer"))
    monkeypatch.setattr(module, "Producer", fake("producer"))
    return seen


def test_the_input_is_read_committed_and_nobody_else_commits(given: dict[str, Any]) -> None:
    make().consumer(worker=0)
    consumer = given["consumer"]
    assert consumer["isolation.level"] == "read_committed"
    assert consumer["enable.auto.commit"] is False
    assert consumer["enable.auto.offset.store"] is False
    assert consumer["partition.assignment.strategy"] == "cooperative-sticky"
    assert consumer["group.instance.id"] == "member-0"


def test_a_restore_reads_what_is_committed_or_fails(given: dict[str, Any]) -> None:
    make().restore_consumer()
    consumer = given["consumer"]
    assert consumer["isolation.level"] == "read_committed"
    assert consumer["auto.offset.reset"] == "error"
    assert "group.instance.id" not in consumer


def test_producers_are_idempotent_and_partition_as_java_does(given: dict[str, Any]) -> None:
    make().producer(transactional_id=None)
    assert given["producer"]["enable.idempotence"] is True
    assert given["producer"]["partitioner"] == "murmur2_random"
    assert "transactional.id" not in given["producer"]
    make().producer(transactional_id="app-1-0")
    assert given["producer"]["transactional.id"] == "app-1-0"
    assert given["producer"]["transaction.timeout.ms"] == 10_000


def test_a_prefix_narrows_a_property_to_one_client(given: dict[str, Any]) -> None:
    made = make(producer__linger__ms="7", security__protocol="plaintext")
    made.consumer(worker=0)
    made.producer(transactional_id=None)
    assert given["producer"]["linger.ms"] == "7"
    assert "linger.ms" not in given["consumer"]
    assert given["consumer"]["security.protocol"] == "plaintext"


def test_a_property_that_does_not_exist_is_one_clear_line() -> None:
    with pytest.raises(ConfigurationError, match=r"client properties refused: .*no\.such\.thing"):
        make(no__such__thing="1").admin()
