"""Fixtures: a Maven repository of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.artifacts.fake_repository import FakeRepository


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRepository]:
    """With three files, and the environment pointing to it."""
    started = FakeRepository()
    started.content = {f"org/x/{name}.jar": name.encode() * 50_000 for name in ("b", "a", "c")}
    monkeypatch.setenv("EOSCHECK_MAVEN_REPOSITORY", started.url)
    yield started
    started.stop()
