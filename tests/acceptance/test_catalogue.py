"""Every shipped scenario that has faults comes out as it must; five of them with every change."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.run.catalogue import Entry, select
from tests.acceptance.conftest import Accepted, Eoscheck

OWN_TESTS = ("zoo", "loss")
"""Groups with tests of their own: bugs switched on, data that is lost."""
FIVE = ("instance-cut-off", "kill-commit", "leader-lost", "state-old-copy", "zombie")
"""One of each family, for `make test`."""
CATALOGUE = [each for each in select([]) if each.group not in OWN_TESTS]
"""Without those that need Docker: tests/integration/docker runs them, where there is one."""


def words(run: Any) -> str:
    """The verdict, and what the faults cost."""
    outage, recovery = run["figures"]["longest_outage"], run["figures"]["recovery"]["recovered"]
    told = f"{run['verdict']}: {run['audit']['anomalies'] or 'no finding'}"
    allowed = run["audit"]["allowed"]
    told += f", allowed {allowed}" if allowed else ""
    told += f"; {run['tally']['injected']} faults"
    if outage is not None:
        told += f"; longest gap {outage['seconds']:.1f} s"
    if recovery is not None and recovery["max"] is not None:
        told += f"; recovery at most {recovery['max']:.1f} s"
    return told


@pytest.mark.accept
@pytest.mark.timeout(600)
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: f"{entry.group}/{entry.name}")
def test_a_scenario_comes_out_as_it_must(
    eoscheck: Eoscheck, accepted: Accepted, entry: Entry
) -> None:
    outcome = eoscheck("scenarios", "run", entry.name, timeout_s=500)
    assert outcome.shown is not None, outcome.stderr
    (run,) = outcome.shown["runs"]
    assert outcome.exit_code == 0, run["reasons"]
    assert run["as_expected"]
    assert run["tally"]["injected"] == run["tally"]["planned"] > 0
    accepted(f"Scenario {entry.group}/{entry.name}", run["repeat"], words(run))


@pytest.mark.timeout(600)
def test_one_of_each_family_comes_out_as_it_must(eoscheck: Eoscheck) -> None:
    shorter = ("--set", "timing.steady=1s", "--set", "timing.settle=1s")
    outcome = eoscheck("scenarios", "run", *FIVE, *shorter, timeout_s=500)
    assert outcome.shown is not None, outcome.stderr
    runs = {run["scenario"]: run for run in outcome.shown["runs"]}
    reasons = {name: run["reasons"] for name, run in runs.items()}
    assert outcome.exit_code == 0, (reasons, outcome.stderr[-2000:])
    assert set(runs) == set(FIVE)
    for run in runs.values():
        assert run["tally"]["injected"] == run["tally"]["planned"] > 0
        assert run["figures"]["longest_outage"]["seconds"] > 0
