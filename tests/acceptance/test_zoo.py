"""The zoo through the front door: each bug comes out red, and the same run without it green."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reference_app.bugs.bug import Bug
from reference_app.bugs.zoo import BUGS
from tests.acceptance.conftest import Accepted, Outcome

# One for each way in which a bug's proof runs the app: `same_run` has no bug in it.
CONTROLS = list({(bug.scenario, bug.options, bug.settings): bug for bug in BUGS}.values())
SEEDS = (1, 2)
"""A fault may miss the moment that it is meant for: a bug has two chances, a control one."""


ONLY_IN_A_RUN = {"STALLED"}
"""What no topic shows by itself: that nothing went on, while it should have."""
ROOT = Path(__file__).parents[2]


class Both(NamedTuple):
    """A run, and what an audit of its topics says that knows nothing of the run."""

    outcome: Outcome
    alone: Any


Audited = Callable[..., Both]


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    """Runs `eoscheck WORDS`, with one audit more: see `audited_alone`."""

    def run(*words: object) -> Both:
        report = tmp_path / "alone.json"
        command = [sys.executable, "-m", "tests.acceptance.audited_alone", str(report)]
        command += [*map(str, words), "--format", "json", "--report", str(tmp_path / "reports")]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, cwd=ROOT, check=False
        )
        shown = json.loads(done.stdout) if done.stdout.strip() else None
        alone = json.loads(report.read_bytes()) if report.exists() else None
        return Both(Outcome(done.returncode, shown, done.stderr), alone)

    return run


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
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_comes_out_red(audited: Audited, accepted: Accepted, bug: Bug) -> None:
    for seed in SEEDS:
        outcome, alone = audited(*shlex.split(bug.proof)[1:], "--seed", seed)
        run = only_run(outcome)
        if outcome.exit_code == 1:
            break
    assert (outcome.exit_code, run["verdict"]) == (1, "fail"), run["reasons"]
    found = {code: count for code, count in run["audit"]["anomalies"].items() if count}
    assert found.keys() & set(bug.anomalies), found
    by_audit = {code: count for code, count in alone["anomalies"].items() if count}
    if not found.keys() <= ONLY_IN_A_RUN:
        assert by_audit.keys() & set(bug.anomalies), by_audit
    accepted(f"Bug zoo: {bug.name}", run["repeat"], f"fail: {found}; the audit alone: {by_audit}")


@pytest.mark.accept
@pytest.mark.timeout(400)
@pytest.mark.parametrize("bug", CONTROLS, ids=lambda bug: f"as-for-{bug.name}")
def test_without_a_bug_the_same_run_is_green(
    audited: Audited, accepted: Accepted, bug: Bug
) -> None:
    outcome, alone = audited(*same_run(bug))
    run = only_run(outcome)
    assert (outcome.exit_code, run["verdict"]) == (0, "pass"), run["reasons"]
    assert alone["verdict"] == "pass", alone
    accepted(f"Bug zoo: the app itself, as for {bug.name}", run["repeat"], "pass: no finding")
