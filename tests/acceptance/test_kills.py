"""The main job: the payments app under SIGKILLs, on a real Kafka, through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import Accepted, Eoscheck, Outcome

SEEDS = (1, 2, 3)
KILLS = 10


def only_run(outcome: Outcome) -> Any:
    assert outcome.shown is not None, outcome.stderr
    (run,) = outcome.shown["runs"]
    return run


def words(run: Any) -> str:
    tally = run["tally"]
    found = {**run["audit"]["anomalies"]} or "no finding"
    allowed = run["audit"]["allowed"]
    return (
        f"{run['verdict']}: {found}"
        + (f", allowed {allowed}" if allowed else "")
        + f"; {tally['injected']} kills, {tally['left_open']} left a transaction open, "
        f"{tally['outlasted_session']} outlasted the session, {tally['wiped']} wiped; "
        f"{run['figures']['counts']['acknowledged']} inputs"
    )


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_once_survives_ten_kills(eoscheck: Eoscheck, accepted: Accepted, seed: int) -> None:
    outcome = eoscheck("run", "kill-exactly-once", "--seed", seed)
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (0, "pass"), run["reasons"]
    assert run["findings"] == []
    tally = run["tally"]
    assert tally["injected"] >= KILLS
    assert tally["left_open"] * 2 >= tally["injected"]
    assert tally["outlasted_session"] * 3 >= tally["injected"]
    assert tally["wiped"] >= 1
    accepted("Exactly-once under 10 kills: no finding", run["repeat"], words(run))


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_at_least_once_duplicates_and_loses_nothing(
    eoscheck: Eoscheck, accepted: Accepted, seed: int
) -> None:
    outcome = eoscheck("run", "kill-at-least-once", "--seed", seed)
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (0, "pass"), run["reasons"]
    allowed = run["audit"]["allowed"]
    assert allowed["DUPLICATE"] > 0
    assert "LOST" not in allowed
    assert run["audit"]["anomalies"].get("LOST", 0) == 0
    assert run["tally"]["injected"] >= KILLS
    accepted("At-least-once under 10 kills: duplicates, no loss", run["repeat"], words(run))


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_order_of_commit_comes_out_red(
    eoscheck: Eoscheck, accepted: Accepted, seed: int
) -> None:
    outcome = eoscheck("run", "bug-offsets-before-outputs", "--seed", seed)
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (1, "fail"), run["reasons"]
    assert run["as_expected"]
    lost = [each for each in run["findings"] if each["code"] == "LOST"]
    assert lost
    assert all(each["offsets"] and each["identity"] is not None for each in lost)
    accepted("A bug of the zoo: red, with evidence", run["repeat"], words(run))
