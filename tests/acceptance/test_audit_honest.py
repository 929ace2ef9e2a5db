"""No false alarm: many honest records, transactions of which some are aborted, and nothing to find.

`HONEST_RECORDS` makes it smaller.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.audit_topics import Filled, fill
from eoscheck.cluster import Cluster, open_cluster
from eoscheck.process import Supervisor
from tests.acceptance.conftest import Accepted, Eoscheck

RECORDS = int(os.environ.get("HONEST_RECORDS", "20_000_000"))
BY_CLIENT = RECORDS // 4
"""The client reads a quarter as much in the same time."""
ABORTED = 0.035


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Supervisor() as supervisor, open_cluster(supervisor=supervisor) as started:
        yield started


@pytest.mark.accept
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("reader", "records"), [("fast", RECORDS), ("client", BY_CLIENT)])
def test_honest_records_raise_no_alarm(
    cluster: Cluster, eoscheck: Eoscheck, accepted: Accepted, reader: str, records: int
) -> None:
    topic = f"honest-{reader}"
    size = min(1_000, records // 200)
    filled = fill(cluster.client_config, topic, records=records, transaction=size, aborted=ABORTED)
    assert filled.aborted > 0
    command = ["audit", "--topic", topic, "--id", "json:/id", "--reader", reader]
    outcome = eoscheck(
        *command, "--bootstrap-server", cluster.bootstrap_servers, "--strict", timeout_s=600
    )
    assert outcome.exit_code == 0, outcome.stderr
    said = outcome.shown
    assert said["verdict"] == "pass"
    assert said["findings"] == said["unknowns"] == said["hazards"] == []
    # No ABORTED_VISIBLE, no LOST_COMMIT: what a client is given is what the markers say,
    assert not any(said["anomalies"].values())
    assert said["counts"]["output_records"] == filled.committed == records
    # and what they say is what was written.
    (transactions,) = said["transactions"]
    assert transactions["committed_records"] == filled.committed
    assert transactions["aborted_records"] == filled.aborted
    assert transactions["open"] == 0
    accepted(
        f"{records / 1e6:g} M honest records: no false alarm",
        f"eoscheck {' '.join(command)}",
        words(filled, seconds=said["duration_s"]),
    )


def words(filled: Filled, *, seconds: float) -> str:
    return (
        f"pass: no finding, no unknown, no hazard; {filled.committed} records committed, "
        f"{filled.aborted} aborted; the two views agree; {seconds:.1f} s"
    )
