"""Any app as a subject: Kafka Streams in Java, unchanged, and a pipeline of two apps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Accepted
from tests.examples import AT_LEAST_ONCE, STREAMS, build_streams, needs_maven, run_example

PIPELINE = "pipeline-kills"
DIRTY_READ = 'roles.bill.args=["--isolation-level", "read_uncommitted"]'
EARLY_OFFSETS = 'roles.settle.args=["--bug", "offsets-before-outputs"]'
SEEDS = (1, 2, 3)


@needs_maven
@pytest.mark.accept
@pytest.mark.timeout(900)
@pytest.mark.parametrize("setting", [None, AT_LEAST_ONCE], ids=["as it is", "at least once"])
def test_kafka_streams(setting: str | None, tmp_path: Path, accepted: Accepted) -> None:
    build_streams()
    settings = [] if setting is None else [setting]
    result = run_example(STREAMS, *settings, report=tmp_path)
    if setting is None:
        assert result["verdict"] == "pass", result["reasons"]
    else:
        assert result["audit"]["anomalies"].get("DUPLICATE"), result["reasons"]
        assert "LOST" not in result["audit"]["anomalies"]
    accepted(
        "Kafka Streams in Java, unchanged, "
        + ("is green" if setting is None else "with one property is red"),
        f"eoscheck run {STREAMS}" + "".join(f" --set '{each}'" for each in settings),
        _told(result),
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_pipeline_is_green_whoever_is_killed(
    seed: int, tmp_path: Path, accepted: Accepted
) -> None:
    result = run_example(PIPELINE, report=tmp_path, seed=seed)
    assert result["verdict"] == "pass", result["reasons"]
    accepted(
        "A pipeline of two apps is exactly-once end to end, whoever is killed",
        f"eoscheck run {PIPELINE} --seed {seed}",
        _told(result),
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mistake", [DIRTY_READ, EARLY_OFFSETS], ids=["bill", "settle"])
def test_a_pipeline_is_red_when_one_of_its_roles_has_a_usual_mistake(
    mistake: str, tmp_path: Path, accepted: Accepted
) -> None:
    result = run_example(PIPELINE, mistake, report=tmp_path)
    assert result["verdict"] == "fail", result["reasons"]
    accepted(
        f"A pipeline of two apps is red when {mistake.split('.')[1]} has a usual mistake",
        f"eoscheck run {PIPELINE} --set '{mistake}'",
        _told(result),
    )


def _told(result: Any) -> str:
    found = result["audit"]["anomalies"]
    said = ", ".join(f"{count} × {code}" for code, count in sorted(found.items()))
    return (
        f"{result['verdict']}: {said or 'no finding'}; {result['tally']['injected']} faults, "
        f"{result['figures']['counts']['observed']} outputs"
    )
