"""A cluster that truly loses committed data is found, and one that does not is left in peace."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import Accepted, Eoscheck, Outcome

SEEDS = (1, 2, 3)


def only_run(outcome: Outcome) -> Any:
    assert outcome.shown is not None, outcome.stderr
    (run,) = outcome.shown["runs"]
    return run


def words(run: Any) -> str:
    found = run["audit"]["anomalies"] or "no finding"
    counts = run["figures"]["counts"]
    return f"{run['verdict']}: {found}; {counts['acknowledged']} inputs were acknowledged"


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_an_unclean_election_is_found_with_the_offsets_it_cost(
    eoscheck: Eoscheck, accepted: Accepted, seed: int
) -> None:
    outcome = eoscheck("run", "unclean-election", "--seed", seed)
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (1, "fail"), run["reasons"]
    assert run["as_expected"]
    findings = run["findings"]
    for code in ("LOST", "LOG_REWRITTEN"):
        found = [each for each in findings if each["code"] == code]
        assert found
        assert all(each["offsets"] for each in found)
    told = [each for each in findings if each["detail"].startswith("acknowledged to the load")]
    assert "LOG_REWRITTEN" in {each["code"] for each in told}
    accepted("A cluster that loses committed data: red, with offsets", run["repeat"], words(run))


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_broker_faults_with_safe_settings_lose_nothing(
    eoscheck: Eoscheck, accepted: Accepted, seed: int
) -> None:
    outcome = eoscheck("run", "safe-election", "--seed", seed)
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (0, "pass"), run["reasons"]
    assert run["tally"]["injected"] == run["tally"]["planned"] == 2
    assert run["counts"]["observed_outputs_compared"] > 0
    accepted("The same broker faults with safe settings: nothing lost", run["repeat"], words(run))
