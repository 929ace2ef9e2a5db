"""What a Fetch is about, also where its session leaves that out (KIP-227)."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.protocol import consumer

from eoscheck.wire.reader import Reader
from eoscheck.wire.request import Request
from tests.unit.wire.requests import encoded, fetch, reader, versions


def fetched(of: Reader, asked: Request, *, session: int, error: int = 0) -> int | None:
    answer = consumer.FetchResponse(
        throttle_time_ms=0, error_code=error, session_id=session, responses=[]
    )
    return of.answered(
        asked,
        encoded(answer, version=asked.api_version, correlation_id=asked.correlation_id)[:64],
    )


@pytest.mark.parametrize("version", versions(consumer.FetchRequest, since=4))
def test_a_fetch_tells_its_topics_in_every_version(version: int) -> None:
    read = reader().read(fetch({"orders": [0, 1], "payments": [0]}, version=version))
    assert (read.api, read.topics) == ("Fetch", ("orders", "payments"))


@pytest.mark.parametrize("version", versions(consumer.FetchRequest, since=7))
def test_an_incremental_fetch_is_about_all_topics_of_its_session(version: int) -> None:
    of = reader()
    full = of.read(fetch({"orders": [0, 1], "payments": [0]}, version=version))
    assert fetched(of, full, session=42) == 0

    def then(topics: dict[str, list[int]], epoch: int, forgotten: dict[str, list[int]]) -> Any:
        return of.read(
            fetch(topics, version=version, session=42, epoch=epoch, forgotten=forgotten)
        ).topics

    assert then({}, 1, {}) == ("orders", "payments")
    assert then({}, 2, {"orders": [0]}) == ("orders", "payments")  # one of its two partitions
    assert then({}, 3, {"orders": [1]}) == ("payments",)
    assert then({"orders": [1]}, 4, {"payments": [0]}) == ("orders",)
    assert then({}, -1, {}) == ()  # closed
    assert then({}, 5, {}) == ()


def test_sessions_do_not_mix_and_an_error_opens_none() -> None:
    of = reader()
    first = of.read(fetch({"orders": [0]}, version=12, correlation_id=1))
    second = of.read(fetch({"payments": [0]}, version=12, correlation_id=2))
    third = of.read(fetch({"payments": [0]}, version=12, correlation_id=3))
    assert fetched(of, first, session=1) == 0
    assert fetched(of, second, session=2) == 0
    assert fetched(of, third, session=3, error=70) == 70
    for session, topics in ((1, ("orders",)), (2, ("payments",)), (3, ())):
        assert of.read(fetch({}, version=12, session=session, epoch=1)).topics == topics
