"""The zoo describes itself, and is not there unless a bug is asked for."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from eoscheck.audit.findings import Code
from eoscheck.run.runner import plan_faults
from eoscheck.run.scenario import load_scenario
from reference_app.bugs import zoo
from reference_app.bugs.bug import Bug
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.parts import Parts

ROOT = Path(__file__).parents[4]
BY_NAME = pytest.mark.parametrize("bug", zoo.BUGS, ids=lambda bug: bug.name)


def test_names_are_unique() -> None:
    assert len({bug.name for bug in zoo.BUGS}) == len(zoo.BUGS)


@BY_NAME
def test_a_bug_changes_at_least_one_part(bug: Bug) -> None:
    right = Parts()
    assert bug.breed(right) != right


@BY_NAME
def test_a_bug_says_what_it_breaks_and_what_brings_it_out(bug: Bug) -> None:
    entry = zoo.listing()
    assert bug.name in entry
    assert all((bug.breaks, bug.like, bug.fault, bug.anomalies))


@BY_NAME
def test_a_bug_can_be_found_by_the_audit(bug: Bug) -> None:
    assert set(bug.anomalies) & set(Code)


@pytest.mark.thorough
@BY_NAME
def test_a_proof_can_be_run(bug: Bug) -> None:
    """Refused before a broker starts: a typo in a scenario's key, a fault that does not fit."""
    command, subcommand, source, *words = shlex.split(bug.proof)
    assert (command, subcommand) == ("eoscheck", "run")
    assert set(words[::2]) == {"--set"}
    scenario = load_scenario(source, run_id="r1", overrides=words[1::2])
    assert scenario.subject.args == [*bug.options, "--bug", bug.name]
    plan_faults(scenario, seed=1)


def test_the_documentation_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "bugs.md").read_text(encoding="utf-8")
    assert page == zoo.markdown(), "write it anew: python -m reference_app.bugs > docs/bugs.md"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'auto-commit'"):
        zoo.find("autocommit")


def test_without_a_bug_no_code_of_the_zoo_is_loaded() -> None:
    script = (
        "import sys\n"
        "import reference_app.payments.__main__\n"
        "from reference_app.launch import _parts\n"
        "from reference_app.streams.parts import Parts\n"
        "assert _parts(None) == Parts()\n"
        "assert not [name for name in sys.modules if name.startswith('reference_app.bugs')]\n"
        "_parts('auto-commit')\n"
        "assert 'reference_app.bugs.zoo' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
