"""Fixtures of the auditor's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from eoscheck.cluster import Cluster, open_cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.process import Supervisor
from tests.integration.audit.writing import Topics


@pytest.fixture
def topics(cluster: Cluster) -> Topics:
    return Topics(cluster.client_config)


@pytest.fixture
def pair(topics: Topics, fresh_name: Callable[[str], str]) -> tuple[str, str]:
    """An input and an output topic of two partitions each."""
    return topics.create(fresh_name("payments"), 2), topics.create(fresh_name("receipts"), 2)


@pytest.fixture(scope="session")
def lenient_cluster(supervisor: Supervisor) -> Iterator[Cluster]:
    """A broker that takes transactional batches without asking the coordinator, as all brokers did
    before KIP-890, and that compacts without delay."""
    settings = {
        "transaction.partition.verification.enable": "false",
        "log.cleaner.backoff.ms": "100",
    }
    with open_cluster(ClusterSpec(settings=settings), supervisor=supervisor) as started:
        yield started
