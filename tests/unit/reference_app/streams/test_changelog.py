"""How changelog topics are configured, and which topics are refused."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from reference_app.streams.changelog import (
    check_outputs,
    check_policy,
    prepare_topics,
    topic_config,
)
from reference_app.streams.errors import BrokerUnavailableError, ConfigurationError
from reference_app.streams.serde import STRING
from reference_app.streams.topology import (
    KeyValueStore,
    Processor,
    Sink,
    Source,
    TimeWindows,
    Topology,
    WindowStore,
)

DAY_MS = 24 * 3600 * 1000
KEYS = KeyValueStore("keys", STRING, STRING)
WINDOWS = WindowStore("windows", STRING, STRING, TimeWindows(60_000), retention_ms=3_600_000)
SINK = Sink("out", STRING, STRING, partitioner=lambda *_: 0, least_partitions=2)
TOPOLOGY = Topology(
    "app",
    Source("in", STRING, STRING),
    (Processor("one", lambda _: lambda *_: None, sinks=(SINK,)),),
)


def test_keys_are_kept_for_ever_and_windows_for_their_retention_and_a_day() -> None:
    assert topic_config(KEYS)["cleanup.policy"] == "compact"
    assert "retention.ms" not in topic_config(KEYS)
    assert topic_config(WINDOWS)["cleanup.policy"] == "compact,delete"
    assert topic_config(WINDOWS)["retention.ms"] == str(3_600_000 + DAY_MS)


@pytest.mark.parametrize(
    ("store", "policy", "retention_ms", "message"),
    [
        (KEYS, "compact,delete", "-1", "it must be compact, or state that is still needed"),
        (KEYS, "delete", "-1", "it must be compact"),
        (WINDOWS, "compact", "-1", "must be compact,delete, or old windows would stay"),
        (WINDOWS, "compact,delete", "3599999", f"set it to {3_600_000 + DAY_MS}"),
    ],
)
def test_a_topic_that_would_lose_state_or_keep_it_for_ever_is_refused(
    store: KeyValueStore[str, str] | WindowStore[str, str],
    policy: str,
    retention_ms: str,
    message: str,
) -> None:
    settings = {"cleanup.policy": policy, "retention.ms": retention_ms}
    with pytest.raises(ConfigurationError, match=message):
        check_policy("app-changelog", settings, store)


@pytest.mark.parametrize(
    ("store", "policy", "retention_ms"),
    [
        (KEYS, "compact", "604800000"),
        (WINDOWS, "delete,compact", "3600000"),
        (WINDOWS, "compact,delete", "-1"),
    ],
)
def test_a_topic_that_fits_is_taken_as_it_is(
    store: KeyValueStore[str, str] | WindowStore[str, str], policy: str, retention_ms: str
) -> None:
    check_policy("topic", {"cleanup.policy": policy, "retention.ms": retention_ms}, store)


def test_an_output_with_too_few_partitions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'out' has 1 partitions and needs 2"):
        check_outputs(TOPOLOGY, {"out": 1})
    check_outputs(TOPOLOGY, {"out": 2})


def test_dead_letters_may_not_come_back_as_input() -> None:
    with pytest.raises(ConfigurationError, match="--dead-letter-topic is the input"):
        prepare_topics(
            None,  # type: ignore[arg-type]
            TOPOLOGY,
            application_id="app",
            replication_factor=1,
            timeout_s=1.0,
            dead_letter_topic="in",
        )


class LaggingAdmin:
    """Every topic is there, and a second broker hears of its settings only later."""

    def __init__(self, *, unknown: int) -> None:
        self.unknown = unknown

    def describe_topics(self, topics: Any, request_timeout: float) -> dict[str, Any]:
        two = SimpleNamespace(partitions=[0, 1], topic_id="id")
        names = ("in", "out", "app-keys-changelog")
        return {name: at_once(SimpleNamespace(name=name, **vars(two))) for name in names}

    def describe_configs(self, resources: list[Any], request_timeout: float) -> dict[Any, Any]:
        if self.unknown:
            self.unknown -= 1
            error = KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
            return {resources[0]: at_once(None, error)}
        settings = {"cleanup.policy": "compact", "delete.retention.ms": "1000"}
        found = {name: SimpleNamespace(value=value) for name, value in settings.items()}
        return {resources[0]: at_once(found)}


def at_once(value: Any, error: Exception | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
    return future


def test_a_changelog_that_not_every_broker_knows_yet_is_waited_for() -> None:
    topology = replace(
        TOPOLOGY,
        processors=(Processor("one", lambda _: lambda *_: None, sinks=(SINK,), stores=(KEYS,)),),
    )
    admin: Any = LaggingAdmin(unknown=2)
    naps: list[float] = []
    topics = prepare_topics(
        admin, topology, application_id="app", replication_factor=3, timeout_s=5, sleep=naps.append
    )
    assert topics.changelogs["keys"].delete_retention_s == 1.0
    assert len(naps) == 2


def test_a_changelog_that_no_broker_ever_knows_is_not_waited_for_without_end() -> None:
    topology = replace(
        TOPOLOGY,
        processors=(Processor("one", lambda _: lambda *_: None, sinks=(SINK,), stores=(KEYS,)),),
    )
    admin: Any = LaggingAdmin(unknown=1000)
    times = iter(range(1000))
    with pytest.raises(BrokerUnavailableError, match="within 5 s"):
        prepare_topics(
            admin,
            topology,
            application_id="app",
            replication_factor=3,
            timeout_s=5,
            clock=lambda: float(next(times)),
            sleep=lambda _: None,
        )
