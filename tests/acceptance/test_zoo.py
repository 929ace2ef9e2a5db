"""The zoo through the front door: each bug comes out red, and the same run without it green."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from reference_app.bugs.bug import Bug
from reference_app.bugs.zoo import BUGS
from tests.acceptance.conftest import Accepted, Eoscheck, Outcome

RUN = [bug for bug in BUGS if bug.scenario]
# One for each way in which a bug's proof runs the app: `same_run` has no bug in it.
CONTROLS = list({(bug.scenario, bug.options, bug.settings): bug for bug in RUN}.values())
SEEDS = (1, 2)
"""A fault may miss the moment that it is meant for: a bug has two chances, a control one."""


def only_run(outcome: Outcome) -> Any:
    assert outcome.shown is not None, outcome.stderr
    (run,) = outcome.shown["runs"]
    return run


def same_run(bug: Bug) -> list[str]:
    """Its proof, less the bug."""
    with_bug = json.dumps([*bug.options, "--bug", bug.name])
    without = json.dumps([*bug.options])
    return [word.replace(with_bug, without) for word in shlex.split(bug.proof)[1:]]


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("bug", RUN, ids=lambda bug: bug.name)
def test_a_bug_comes_out_red(eoscheck: Eoscheck, accepted: Accepted, bug: Bug) -> None:
    for seed in SEEDS:
        outcome = eoscheck(*shlex.split(bug.proof)[1:], "--seed", seed)
        run = only_run(outcome)
        if outcome.exit_code == 1:
            break
    assert (outcome.exit_code, run["verdict"]) == (1, "fail"), run["reasons"]
    found = {code: count for code, count in run["audit"]["anomalies"].items() if count}
    assert found.keys() & set(bug.anomalies), found
    accepted(f"Bug zoo: {bug.name}", run["repeat"], f"fail: {found}")


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("bug", CONTROLS, ids=lambda bug: f"as-for-{bug.name}")
def test_without_a_bug_the_same_run_is_green(
    eoscheck: Eoscheck, accepted: Accepted, bug: Bug
) -> None:
    outcome = eoscheck(*same_run(bug))
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (0, "pass"), run["reasons"]
    accepted(f"Bug zoo: the app itself, as for {bug.name}", run["repeat"], "pass: no finding")
