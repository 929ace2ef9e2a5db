"""How changelog topics are configured, and which topics are refused."""

from __future__ import annotations

import pytest

from reference_app.streams.changelog import (
    check_outputs,
    check_policy,
    prepare_topics,
    topic_config,
)
from reference_app.streams.errors import ConfigurationError
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
