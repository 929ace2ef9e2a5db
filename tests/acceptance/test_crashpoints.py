"""Crash points: every step that an app performs, broken on purpose."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eoscheck.run.scenario import load_scenario
from tests.acceptance.conftest import Accepted, Eoscheck, Outcome

ROOT = Path(__file__).parents[2]
PEER = ROOT / "benchmarks" / "peers" / "java-streams"
GIVES_UP = ("--client-timeout", "15s")

pytestmark = pytest.mark.accept


def all_green(outcome: Outcome) -> Any:
    """Every cell was reached, judged and found to be green."""
    assert outcome.shown is not None, outcome.stderr
    shown = outcome.shown
    assert (outcome.exit_code, shown["verdict"], shown["reasons"]) == (0, "pass", [])
    assert shown["counts"] == {"green": len(shown["cells"])}
    assert shown["coverage"]["reached"] == shown["coverage"]["planned"] == len(shown["cells"])
    return shown


def told(shown: Any) -> str:
    cells, steps = len(shown["cells"]), len(shown["steps"])
    return (
        f"pass: {cells} of {cells} cells green ({steps} steps), rolled back in "
        f"{len(shown['rolled_back'])}; {shown['duration_s']:.0f} s; "
        + (f"allowed: {shown['allowed']}" if shown["allowed"] else "nothing found")
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_crash_point_of_the_reference_app_is_green(
    eoscheck: Eoscheck, accepted: Accepted, seed: int
) -> None:
    shown = all_green(eoscheck("crashpoints", "--seed", seed, *GIVES_UP, timeout_s=580))
    steps = {each["step"] for each in shown["steps"]}
    assert {"InitProducerId", "TxnOffsetCommit", "EndTxn(commit)", "EndTxn(abort)"} <= steps
    assert {"JoinGroup", "Fetch(restore)", "Produce(changelog)", "Produce(output)"} <= steps
    spans = {each["name"] for each in shown["cells"] if each["name"].endswith(" x span")}
    assert len(spans) == 6
    assert spans <= set(shown["rolled_back"])
    accepted(f"Crash points, exactly-once, seed {seed}", shown["repeat"], told(shown))


@pytest.mark.timeout(600)
def test_under_at_least_once_there_are_duplicates_and_nothing_else(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    shown = all_green(
        eoscheck("crashpoints", "--guarantee", "at-least-once", *GIVES_UP, timeout_s=580)
    )
    assert shown["allowed"]["DUPLICATE"] > 0
    assert "EndTxn(commit)" not in {each["step"] for each in shown["steps"]}
    accepted("Crash points, at-least-once", shown["repeat"], told(shown))


@pytest.mark.timeout(400)
def test_a_member_that_leaves_is_broken_at_its_farewell(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    """Static members do not leave their group: so these are none."""
    command = list(load_scenario("crashpoints").subject.command)
    at = command.index("--group-instance-id")
    del command[at : at + 2]
    actions = ("crash-before", "crash-after", "drop-response")
    cells = [word for action in actions for word in ("--cell", f"LeaveGroup x {action}")]
    dynamic = ("--set", f"subject.command={json.dumps(command)}")
    shown = all_green(eoscheck("crashpoints", "--seed", 1, *cells, *dynamic, timeout_s=380))
    assert {each["request"]["api"] for each in shown["cells"]} == {"LeaveGroup"}
    assert all(each["took_over_s"] for each in shown["cells"])
    accepted(
        "Crash points: LeaveGroup of members that are not static", shown["repeat"], told(shown)
    )


@pytest.mark.timeout(600)
def test_a_bug_is_narrowed_to_its_cell_and_the_smallest_load_and_repeats_by_one_line(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    bug = 'subject.args=["--bug", "abort-without-seek"]'
    cells = (
        "--cell",
        "Heartbeat x drop-response",
        "--cell",
        "TxnOffsetCommit x drop-request x span",
    )
    outcome = eoscheck(
        *("crashpoints", "--seed", 1, "--stop-after", 1, *cells, *GIVES_UP, "--set", bug),
        timeout_s=400,
    )
    assert outcome.shown is not None, outcome.stderr
    shown = outcome.shown
    assert (outcome.exit_code, shown["verdict"]) == (1, "fail"), shown
    (red,) = [each for each in shown["cells"] if each["colour"] == "red"]
    assert (red["confirmed"], red["culprits"]) == (True, [red["name"]])
    words = shlex.split(red["repeat"])
    rate = float(next(each for each in words if each.startswith("load.rate=")).partition("=")[2])
    assert rate < 300, "the scenario's own"
    again = eoscheck(*words[1:], timeout_s=180)
    assert again.exit_code == 1, again.stderr
    assert again.shown["cells"][0]["codes"].keys() & red["codes"].keys()
    accepted(
        "Crash points: a bug, narrowed to one cell and the smallest load",
        red["repeat"],
        f"fail: {red['codes']} of {red['records']} records; once more: "
        f"{again.shown['cells'][0]['codes']} of {again.shown['cells'][0]['records']}",
    )


@pytest.mark.timeout(3600)
def test_the_full_matrix_of_the_reference_app(eoscheck: Eoscheck, accepted: Accepted) -> None:
    """What is late or comes twice may be red: that is the protocol's, and named so."""
    outcome = eoscheck("crashpoints", "--full", *GIVES_UP, timeout_s=3500)
    shown = outcome.shown
    assert shown is not None, outcome.stderr
    assert (outcome.exit_code, shown["verdict"]) == (0, "pass"), shown["reasons"]
    red = [each for each in shown["cells"] if each["colour"] == "red"]
    assert all(each["known"] for each in red), red
    counts, coverage = shown["counts"], shown["coverage"]
    accepted(
        "Crash points, the full matrix",
        shown["repeat"],
        f"pass: {coverage['reached']} of {coverage['planned']} cells reached, {counts}; "
        f"{shown['duration_s'] / 60:.0f} min",
    )


@pytest.mark.skipif(
    shutil.which("mvn") is None or shutil.which("javac") is None,
    reason="the peer is built with a JDK and Maven",
)
@pytest.mark.timeout(2000)
def test_kafka_streams_runs_unchanged_and_is_green(
    eoscheck: Eoscheck, accepted: Accepted, tmp_path: Path
) -> None:
    subprocess.run(["make", "-C", PEER], check=True, timeout=300)
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")  # as from the root of the checkout
    shown = all_green(
        eoscheck(
            *("crashpoints", PEER / "crashpoints.toml", "--client-timeout", "20s"), timeout_s=1900
        )
    )
    accepted("Crash points, Kafka Streams", shown["repeat"], told(shown))
