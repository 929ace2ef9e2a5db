"""One real broker for all integration tests, and names that no two tests share."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterator

import pytest

from eoscheck.cluster import Cluster, open_cluster
from eoscheck.process import Supervisor

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def supervisor() -> Iterator[Supervisor]:
    """Whatever it started ends with the session, also when pytest is killed."""
    with Supervisor() as started:
        yield started


@pytest.fixture(scope="session")
def cluster(supervisor: Supervisor) -> Iterator[Cluster]:
    """A real Apache Kafka for the whole session: tests share no topic, and change no setting."""
    with open_cluster(supervisor=supervisor, progress=logging.getLogger("kafka").info) as started:
        yield started


@pytest.fixture
def fresh_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """`fresh_name("group")`: a name nobody else uses, which says which test it belongs to."""
    test = re.sub(r"[^A-Za-z0-9_]+", "-", request.node.name)[:80].strip("-")

    def name(kind: str) -> str:
        return f"{kind}-{test}-{next(_numbers)}"

    return name


@pytest.fixture
def topic_name(fresh_name: Callable[[str], str]) -> str:
    """A fresh topic name; nothing is created."""
    return fresh_name("topic")
