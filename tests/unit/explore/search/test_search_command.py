"""`eoscheck explore`: what it refuses before a broker is started, and what it tells at the end."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eoscheck.cli.main import cli
from eoscheck.errors import EoscheckError
from eoscheck.explore.search import extra
from eoscheck.explore.search.schedule import Schedule
from eoscheck.explore.search.search import Exploration, Found
from eoscheck.explore.search.told import Told, in_lines, tell

FOUND = Found(
    schedule=Schedule(faults=({"kind": "pause", "at": "1s", "down": "3s", "target": 0},)),
    codes=("LOST", "WRONG_RESULT"),
    folder="reports/explore-1/explore-7",
    red=3,
    runs=3,
    shrunk_from=3,
    after_s=61.234,
)


def exploration(
    found: Found | None = None, *, once: tuple[Found, ...] = (), interrupted: bool = False
) -> Exploration:
    return Exploration(
        found=found,
        once=once,
        runs={"pass": 9, "unknown": 2},
        unknowns={"1 of 2 faults did not bite": 2},
        states=("cell EndTxn(commit) crash-after", "kill", "pause"),
        hopeless=("twin",),
        used_s=600.04,
        interrupted=interrupted,
    )


def told(of: Exploration) -> Told:
    scenario = Path("reports/found.toml") if of.worst else None
    left_out = {"broker-kill": "one broker", "broker-stop": "one broker"}
    return tell(of, scenario=scenario, left_out=left_out)


def test_what_was_found_stands_with_its_file_and_the_command_that_repeats_it() -> None:
    lines = list(in_lines(told(exploration(FOUND))))
    assert lines[0] == "found:   LOST, WRONG_RESULT, red in 3 of 3 runs"
    assert lines[1] == "faults:  at 1 s: pause of instance 0 for 3 s"
    assert "         (of 3 faults before shrinking)" in lines
    assert "repeat:  eoscheck run reports/found.toml" in lines
    assert "runs:    11 in 600 s (9 pass, 2 unknown)" in lines
    assert "reached: 3 states, 1 cells of the protocol" in lines
    assert "unknown: 2 × 1 of 2 faults did not bite" in lines
    assert "never bit this subject: twin" in lines
    assert "left out: broker-kill, broker-stop (one broker)" in lines


def test_what_failed_once_is_found_and_is_said_to_have_failed_once() -> None:
    (first, *_) = in_lines(told(exploration(once=(FOUND_ONCE,))))
    assert first == (
        "found:   LOST, red in 1 of 3 runs, and did not come again: it may need luck to repeat"
    )


FOUND_ONCE = Found(
    schedule=Schedule(), codes=("LOST",), folder="f", red=1, runs=3, shrunk_from=0, after_s=1.0
)


@pytest.mark.parametrize(
    ("explored", "code"),
    [
        (exploration(), 0),
        (exploration(FOUND), 1),
        (exploration(once=(FOUND_ONCE,)), 1),
        (exploration(interrupted=True), 2),
        (exploration(FOUND, interrupted=True), 1),
    ],
)
def test_exit_codes(explored: Exploration, code: int) -> None:
    assert told(explored).exit_code == code


def explore(*words: str) -> Result:
    return CliRunner().invoke(cli, ["explore", *words])


@contextmanager
def no_cluster(*_: Any) -> Any:
    raise AssertionError("a cluster was started for what is refused")
    yield


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--for", "ten minutes"], "--for: 'ten minutes' is not a duration"),
        (["--only", "kills"], "did you mean 'kill'"),
        (["--only", "broker"], "cluster.brokers = 3"),
        (["no-such-scenario"], "no scenario file no-such-scenario"),
        (["--set", "load.rat=5"], "did you mean 'rate'"),
    ],
)
def test_what_cannot_be_is_refused_before_a_broker_is_started(
    monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.setattr("eoscheck.cli.explore.open_session", no_cluster)
    refused = explore(*words)
    assert isinstance(refused.exception, EoscheckError)
    assert message in str(refused.exception)


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    refused = explore()
    assert str(refused.exception) == "a search needs tomlkit: pip install 'eoscheck[explore]'"


@pytest.mark.thorough
def test_the_command_is_explained_without_the_extra() -> None:
    script = (
        "import sys; sys.modules['hypothesis'] = sys.modules['tomlkit'] = None\n"
        "from eoscheck.cli.main import cli; cli(['explore', '--help'])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "--database" in shown.stdout


def test_the_extra_is_there() -> None:
    extra.require_extra()
