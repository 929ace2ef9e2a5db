"""Hazards of the protocol: a healthy client's exactly-once broken, each time it is tried."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from eoscheck.audit.findings import Code, Finding, Verdict
from eoscheck.cli.session import Session, open_session
from eoscheck.run.naming import new_run_id
from eoscheck.run.needs import cluster_needs
from eoscheck.run.result import RunResult
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import load_scenario
from tests.acceptance.conftest import Accepted

EACH = 10
PEER = Path("benchmarks/peers/java-streams")
HOLD = '{kind="hold", step="EndTxn(commit)", at="1s", target=0, release="Produce(output)"}'
INVALID_PRODUCER_EPOCH, PRODUCER_FENCED = 47, 90
OTHERS = ("late-offsets", "late-offset-commit", "late-produce")


def run(
    session: Session,
    name: str,
    *,
    seed: int,
    folder: Path,
    source: Path | None = None,
    overrides: Sequence[str] = (),
) -> RunResult:
    run_id = new_run_id(name)
    return run_scenario(
        load_scenario(source or name, run_id=run_id, overrides=overrides),
        on=session,
        folder=folder / run_id,
        run_id=run_id,
        seed=seed,
        repeat="",
    )


def markers(finding: Finding, places: str) -> list[Any]:
    """Of the batches around the records that a finding shows."""
    return [
        batch.get("marker")
        for place in finding.evidence[places]
        for batch in place["batches"].values()
    ]


@pytest.mark.accept
@pytest.mark.timeout(1200)
def test_the_held_end_of_a_transaction_twenty_times(accepted: Accepted, tmp_path: Path) -> None:
    codes: Counter[str] = Counter()
    scenario = load_scenario("late-commit")
    with open_session(scenario.cluster, cluster_needs(scenario)) as session:
        assert "Kafka 4.3" in session.cluster.description
        for seed in range(1, EACH + 1):
            late_commit = run(session, "late-commit", seed=seed, folder=tmp_path)
            late_abort = run(session, "late-abort", seed=seed, folder=tmp_path)
            for result, code in ((late_commit, Code.DUPLICATE), (late_abort, Code.LOST)):
                assert result.verdict is Verdict.FAIL, result.reasons
                assert set(result.audit.anomalies) == {code, Code.TORN_TRANSACTION}, result.reasons
                codes.update(result.audit.anomalies.keys())
            (torn,) = [
                each for each in late_commit.audit.findings if each.code is Code.TORN_TRANSACTION
            ]
            assert "abort" in markers(torn, "aborted")
    found = ", ".join(f"{code} in {runs}" for code, runs in sorted(codes.items()))
    accepted(
        "The held EndTxn (KAFKA-17754) breaks a librdkafka client on Kafka 4.3, 20 of 20",
        "eoscheck run late-commit, eoscheck run late-abort",
        f"{2 * EACH} of {2 * EACH} runs: {found}; shown with batches and markers",
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_hazard_comes_out_red_for_the_protocol(
    accepted: Accepted, tmp_path: Path, name: str
) -> None:
    scenario = load_scenario(name)
    with open_session(scenario.cluster, cluster_needs(scenario)) as session:
        results = [run(session, name, seed=seed, folder=tmp_path) for seed in (1, 2, 3)]
    assert [each.as_expected for each in results] == [True, True, True]
    hazard = results[0].expected.hazard
    assert hazard is not None
    found = sorted({code for each in results for code in each.audit.anomalies})
    accepted(f"{hazard.class_}, 3 of 3", f"eoscheck run {name}", ", ".join(found))


@pytest.mark.accept
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    shutil.which("mvn") is None or shutil.which("javac") is None,
    reason="the peer is built with a JDK and Maven",
)
def test_a_client_whose_transactions_have_epochs_of_their_own_is_not_exposed(
    accepted: Accepted, tmp_path: Path
) -> None:
    """KIP-890, second part: the same request, held in the same way, is refused."""
    subprocess.run(["make", "-C", PEER], check=True, timeout=300)
    scenario = PEER / "kill-exactly-once.toml"
    overrides = (f"faults=[{HOLD}]", "timing.faults=61s")
    needs = cluster_needs(load_scenario(scenario, overrides=overrides))
    with open_session(load_scenario(scenario).cluster, needs) as session:
        result = run(session, "java", seed=1, folder=tmp_path, source=scenario, overrides=overrides)
    assert result.verdict is Verdict.PASS, result.reasons
    late = next(step for step in result.sequences[0].steps if step.action == "hold")
    assert late.error in (INVALID_PRODUCER_EPOCH, PRODUCER_FENCED)
    accepted(
        "The held EndTxn does nothing to a client that speaks EndTxn version 5 (Java 4)",
        f"eoscheck run {scenario} --set 'faults=[{HOLD}]' --set timing.faults=61s",
        f"passed; the broker answered the late request with {KafkaError(late.error).name()}",
    )
