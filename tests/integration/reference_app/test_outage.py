"""A broker that goes away is waited out, for longer than any of the app's own limits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eoscheck.cluster import Cluster
from eoscheck.cluster.node_cluster import NodeCluster
from tests.integration.reference_app.payments_driver import Payments, wait_for

LIMITS = (
    *("--default-api-timeout-ms", "2000", "--transaction-timeout-ms", "2000"),
    *("--commit-interval-ms", "200"),
)


@contextmanager
def away(cluster: Cluster) -> Iterator[None]:
    """All brokers stand still; they go on whatever happens in the block."""
    assert isinstance(cluster, NodeCluster)
    for pid in cluster.pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in cluster.pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "outage_s",
    [10.0, pytest.param(150.0, marks=[pytest.mark.accept, pytest.mark.timeout(400)])],
)
def test_a_broker_that_is_away_is_waited_out(
    payments: Payments, cluster: Cluster, outage_s: float
) -> None:
    instance = payments.instance(*LIMITS)
    instance.start()
    with payments.feeding(rate=500):
        wait_for("the instance at work", instance.at_work)
    with away(cluster):
        time.sleep(outage_s)  # the outage's length is what is tested
        assert instance.alive, instance.log
    payments.feed(500)
    payments.wait_drained(timeout_s=120)
    audit = payments.audit()
    assert audit.clean, audit


def test_a_stop_during_an_outage_ends_within_its_bound(
    payments: Payments, cluster: Cluster
) -> None:
    instance = payments.instance(*LIMITS, "--close-timeout-ms", "4000")
    instance.start()
    with payments.feeding(rate=500):
        wait_for("the instance at work", instance.at_work)
    with away(cluster):
        assert instance.terminate() in (0, 4)
    instance.start()
    payments.wait_drained(timeout_s=120)
    audit = payments.audit()
    assert audit.clean, audit
