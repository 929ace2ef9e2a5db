"""All outputs of the payments app are right after a storm of SIGKILLs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eoscheck.cluster import Cluster
from eoscheck.cluster.transactions import TransactionView
from tests.integration.reference_app.storm import Kill, Storm, Tally
from tests.integration.reference_app.whole_payments import (
    HOPPING,
    TUMBLING,
    WholeAudit,
    WholePayments,
)

EOSCHECK = Path(sys.executable).parent / "eoscheck"
KILLS = 20


@pytest.fixture
def transactions(cluster: Cluster) -> Iterator[TransactionView]:
    with TransactionView({"bootstrap.servers": cluster.bootstrap_servers}) as view:
        yield view


@pytest.fixture
def storm(
    cluster: Cluster,
    transactions: TransactionView,
    fresh_name: Callable[[str], str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Storm]:
    """Of the test's seed; odd ones have tumbling windows, even ones hopping."""
    seed: int = getattr(request, "param", 1)
    rule = TUMBLING if seed % 2 else HOPPING
    app = WholePayments(cluster.bootstrap_servers, fresh_name("app"), tmp_path, rule=rule)
    yield Storm(app, transactions, seed)
    app.stop()


def run_and_audit(storm: Storm, *, kills: int) -> tuple[Tally, WholeAudit]:
    tally = storm.run(kills=kills)
    audit = storm.payments.audit_whole()
    assert audit.clean, audit
    assert audit.entries == 2 * audit.receipts.receipts > 0
    assert audit.alerts > 0, "no account was suspicious: the alerts prove nothing"
    assert tally.open * 2 >= kills, f"few kills hit a transaction: {tally}"
    return tally, audit


def test_all_outputs_are_right_after_one_kill_of_each_kind(storm: Storm) -> None:
    tally, _ = run_and_audit(storm, kills=6)
    assert set(tally.kills) == set(Kill)
    assert tally.promoted > 0


@pytest.mark.accept
@pytest.mark.timeout(300)
@pytest.mark.parametrize("storm", range(1, 11), indirect=True)
def test_all_outputs_are_right_after_twenty_kills(
    storm: Storm,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    tally, audit = run_and_audit(storm, kills=KILLS)
    assert tally.promoted > 0
    command = subprocess.run(
        [
            *(EOSCHECK, "audit", "--bootstrap-server", storm.payments.bootstrap),
            *("--input", storm.payments.input, "--topic", storm.payments.output),
            *("--group", storm.payments.name, "--id", "json:/payment_id"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert command.returncode == 0, command.stdout + command.stderr
    record_property("what", "Payments, whole, under 20 kills of 3 instances: all outputs right")
    record_property("command", f"pytest -m accept '{request.node.nodeid}'")
    record_property(
        "result",
        f"no finding in {audit.receipts.receipts} receipts, {audit.entries} ledger entries, "
        f"{audit.alerts} alerts, balances; {tally}; {tally.seconds:.0f} s",
    )
