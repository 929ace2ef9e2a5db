"""Bad options are refused at once, with the fix named and no secret repeated."""

from __future__ import annotations

from typing import Any

import pytest

from reference_app.streams.errors import ConfigurationError
from reference_app.streams.options import Guarantee, StreamsOptions, read_properties


def options(**values: Any) -> StreamsOptions:
    return StreamsOptions(**{"application_id": "app", "bootstrap_server": "host:1", **values})


def test_commit_intervals_default_as_in_kafka_streams() -> None:
    assert options().commit_interval == 100
    assert options(processing_guarantee=Guarantee.AT_LEAST_ONCE).commit_interval == 30_000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"application_id": "my app"}, "--application-id 'my app'"),
        ({"session_timeout_ms": 0}, "--session-timeout-ms must be above 0"),
        ({"heartbeat_interval_ms": 50_000}, "must be below --session-timeout-ms"),
        ({"commit_interval_ms": 10_000}, "must be above the commit interval of 10000 ms"),
        ({"client_properties": {"isolation.level": "x"}}, "isolation.level: the guarantee"),
        ({"client_properties": {"consumer.group.id": "x"}}, "consumer.group.id: the guarantee"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        options(**values)


def test_a_long_interval_is_fine_without_transactions() -> None:
    values = {"processing_guarantee": Guarantee.AT_LEAST_ONCE, "commit_interval_ms": 60_000}
    assert options(**values).commit_interval == 60_000


def test_properties_are_read_as_from_a_java_file() -> None:
    lines = ["# comment", "", "linger.ms = 5", "sasl.password=a=b"]
    assert read_properties(lines, origin="f") == {"linger.ms": "5", "sasl.password": "a=b"}


def test_a_bad_line_is_named_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_properties(["linger.ms=5", "secret-without-name"], origin="client.properties")
    assert str(caught.value) == "client.properties, line 2: expected name=value"
