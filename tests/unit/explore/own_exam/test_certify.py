"""The tool's own exam: which commands it gives, what it makes of them, and how it goes on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eoscheck.audit.findings import Guarantee, Verdict
from eoscheck.errors import UsageError
from eoscheck.explore.own_exam.control import Control, Shown, control_of, control_words, shown
from eoscheck.explore.own_exam.exam import LIMITS_S, ask_zoo, run_exam
from eoscheck.explore.own_exam.outcome import seen
from eoscheck.explore.own_exam.plan import (
    NO_FAULT,
    Attempt,
    Bug,
    Matrix,
    Means,
    choose,
    next_seed,
    read_zoo,
    repeat,
    words,
)
from eoscheck.explore.own_exam.results import Results, read_results
from eoscheck.explore.own_exam.summary import Controls, summarise
from eoscheck.process import Supervisor
from eoscheck.report.power import power_json, power_lines, power_page

LOSES = Bug(
    name="loses",
    breaks="a rule",
    codes=["LOST"],
    args=["--commit-interval-ms", "10", "--bug", "loses"],
    switch=["--bug", "loses"],
    fault="kill",
    scenario="zoo-kills",
    settings=["load.rate=300", "faults.0.count=1", "timing.faults=3s", "subject.instances=1"],
)
# What `program` does in place of eoscheck: red from the given seed on, and without its bug only if
# it is to be.
PROGRAM = """
import json, pathlib, sys, time
words = sys.argv[1:]
seed = int(words[words.index("--seed") + 1])
folder = pathlib.Path(words[words.index("--report") + 1]) / "run"
folder.mkdir(parents=True)
print("told", words)
bug = any('"--bug"' in word for word in words)
red = seed >= {red_from} and (bug or {sick})
verdict = "fail" if red else "pass"
why = ["something was found"] if red else ["nothing to say"]
if words[0] == "crashpoints":
    cell = {{"step": "EndTxn(commit)", "action": "crash-after", "wiped": True}}
    cells = [{{"cell": cell, "colour": "red" if red else "green", "codes": {{"{code}": 2}}}}]
    matrix = {{"verdict": verdict, "reasons": why, "cells": cells}}
    (folder / "matrix.json").write_text(json.dumps(matrix))
else:
    audit = {{"anomalies": {{"{code}": 3 if red else 0}}}}
    result = {{"verdict": verdict, "reasons": why, "audit": audit, "tally": {{"injected": 5}}}}
    (folder / "result.json").write_text(json.dumps(result))
time.sleep({sleep_s})
sys.exit(1 if red else 0)
"""


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as started:
        yield started


def attempt(seed: int = 1, *, caught: bool = False, seconds: float = 50, **rest: Any) -> Attempt:
    usual: dict[str, Any] = {
        "bug": "loses",
        "means": Means.KILLS,
        "fault": "5 random kills",
        "repeat": f"eoscheck run --seed {seed}",
    }
    return Attempt(
        seed=seed,
        caught=caught,
        codes={"LOST": 1} if caught else {},
        seconds=seconds,
        at="2026-11-27T21:00:00+00:00",
        **{**usual, **rest},
    )


# ---------------------------------------------------------------- what is done


def settings(command: list[str]) -> list[str]:
    return [word for before, word in pairwise(command) if before == "--set"]


def test_random_kills_take_the_place_of_the_scenarios_own_faults() -> None:
    command = words(LOSES, Means.KILLS, seed=7)
    assert command[:4] == ["run", "zoo-kills", "--seed", "7"]
    given = settings(command)
    assert "load.rate=300" in given
    assert "subject.instances=1" in given
    assert not [each for each in given if each in ("faults.0.count=1", "timing.faults=3s")]
    assert any(each.startswith('faults=[{kind="kill"') for each in given)
    assert given[-1] == f"subject.args={json.dumps(LOSES.args)}"


def test_an_app_with_a_matrix_of_its_own_is_tried_in_that() -> None:
    """Its options come last: what would clash with that scenario's can be put right."""
    matrix = Matrix(scenario="other", args=["--late", "1"], settings=["subject.group=g"])
    command = words(msgspec.structs.replace(LOSES, crashpoints=matrix), Means.CRASHPOINTS, seed=1)
    assert command[:2] == ["crashpoints", "other"]
    given = settings(command)
    assert given[-2] == "subject.group=g"
    assert given[-1] == f"subject.args={json.dumps([*LOSES.args, '--late', '1'])}"


def test_its_scenario_is_run_as_it_stands() -> None:
    assert settings(words(LOSES, Means.CATALOGUE, seed=1))[:-1] == LOSES.settings


def test_crash_points_have_another_instance_to_take_over_and_end_with_the_first_red_cell() -> None:
    command = words(LOSES, Means.CRASHPOINTS, seed=1)
    assert command[:3] == ["crashpoints", "--stop-after", "1"]
    assert settings(command)[:-1] == [
        "load.rate=300",
        "audit.expect=exactly-once",
        "timing.liveness=20s",
    ]


def test_an_app_that_leaves_transactions_open_for_long_is_waited_for_as_long() -> None:
    """Else a healthy one would come out red as well: others wait for its orphan."""
    patient = ["--transaction-timeout-ms", "60000", *LOSES.args]
    command = words(msgspec.structs.replace(LOSES, args=patient), Means.CRASHPOINTS, seed=1)
    assert "timing.liveness=80s" in settings(command)
    assert command[command.index("--client-timeout") + 1] == "75s"


@pytest.mark.parametrize("means", [Means.KILLS, Means.CRASHPOINTS])
def test_a_crash_is_judged_by_what_the_app_promises(means: Means) -> None:
    bug = msgspec.structs.replace(LOSES, guarantee=Guarantee.AT_LEAST_ONCE)
    assert "audit.expect=at-least-once" in settings(words(bug, means, seed=1))
    assert settings(words(bug, Means.CATALOGUE, seed=1))[:-1] == LOSES.settings


@pytest.mark.parametrize(
    ("means", "done", "chosen"),
    [
        (Means.KILLS, [], 3),
        (Means.KILLS, [attempt(), attempt()], 5),
        (Means.KILLS, [attempt(), attempt(), attempt()], None),  # 150 s of 120 s
        (Means.KILLS, [attempt(caught=True)], None),
        (Means.KILLS, [attempt(problem="no broker")], None),
        (Means.CATALOGUE, [attempt()], 4),
        (Means.CATALOGUE, [attempt(), attempt()], None),
        (Means.CRASHPOINTS, [], 3),
        (Means.CRASHPOINTS, [attempt()], None),
    ],
)
def test_an_attempt_is_made_until_it_is_decided(
    means: Means, done: list[Attempt], chosen: int | None
) -> None:
    assert next_seed(LOSES, means, done, seed=3, budget_s=120) == chosen


def test_a_bug_without_a_scenario_has_no_attempt_by_it() -> None:
    bare = Bug(name="bare", breaks="", codes=[], args=[])
    assert next_seed(bare, Means.CATALOGUE, [], seed=1, budget_s=120) is None


# ---------------------------------------------------------------- the zoo


def test_a_zoo_is_what_a_program_prints(supervisor: Supervisor) -> None:
    bugs = ask_zoo([sys.executable, "-m", "reference_app.bugs", "--json"], supervisor=supervisor)
    (first,) = choose(bugs, ["offsets-before-outputs"])
    assert "LOST" in first.codes
    assert first.args == ["--bug", "offsets-before-outputs"]
    assert all(bug.scenario for bug in bugs)


def test_a_zoo_that_tells_nothing_is_a_usage_error(supervisor: Supervisor) -> None:
    with pytest.raises(UsageError, match="does not tell its bugs: no zoo today"):
        ask_zoo([sys.executable, "-c", "raise SystemExit('no zoo today')"], supervisor=supervisor)
    with pytest.raises(UsageError, match="does not print a list of bugs"):
        read_zoo(b'{"name": "x"}')
    with pytest.raises(UsageError, match="did you mean 'loses'"):
        choose([LOSES], ["lose"])


# ---------------------------------------------------------------- the exam


def exam(
    supervisor: Supervisor,
    results: Path,
    *means: Means,
    red_from: int = 1,
    code: str = "LOST",
    sleep_s: float = 0,
    limit_s: float = 60,
    sick: bool = False,
) -> Results:
    text = PROGRAM.format(red_from=red_from, code=code, sleep_s=sleep_s, sick=sick)
    return run_exam(
        [LOSES],
        means=means,
        results=results,
        seed=1,
        budget_s=60,
        supervisor=supervisor,
        tell=lambda _: None,
        program=[sys.executable, "-c", text],
        limits_s=dict.fromkeys(LIMITS_S, limit_s),
    )


def test_each_attempt_is_a_line_and_an_exam_goes_on_from_there(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    results = tmp_path / "deep" / "results.ndjson"
    first = exam(supervisor, results, Means.KILLS, red_from=3).attempts
    assert [(each.seed, each.caught) for each in first] == [(1, False), (2, False), (3, True)]
    assert (first[-1].codes, first[-1].fault) == ({"LOST": 3}, "5 random kills")
    # Killed while it wrote the last two lines: they are done again.
    content = results.read_bytes().splitlines(keepends=True)
    results.write_bytes(b"".join(content[:2]) + content[2][:-20])
    again = exam(supervisor, results, Means.KILLS, Means.CRASHPOINTS, red_from=3)
    kills = [each.seed for each in again.attempts if each.means is Means.KILLS]
    assert kills == [1, 2, 3]
    assert len(again.controls) == 1
    assert read_results(results) == again


def test_a_red_cell_is_named(supervisor: Supervisor, tmp_path: Path) -> None:
    (found,) = exam(supervisor, tmp_path / "r.ndjson", Means.CRASHPOINTS).attempts
    assert found.caught
    assert found.fault == "EndTxn(commit) x crash-after x wiped"
    assert found.codes == {"LOST": 2}


def test_what_is_found_without_any_fault_is_a_catch_too(tmp_path: Path) -> None:
    (tmp_path / "matrix").mkdir()
    matrix: dict[str, Any] = {
        "verdict": "fail",
        "reasons": [],
        "cells": [],
        "before": {"DUPLICATE": 4},
    }
    (tmp_path / "matrix" / "matrix.json").write_text(json.dumps(matrix))
    found = seen(tmp_path, Means.CRASHPOINTS, fault="kill")
    assert (found.verdict, found.codes) == (Verdict.FAIL, {"DUPLICATE": 4})
    assert found.fault == NO_FAULT


def test_another_code_than_the_bugs_is_no_catch(supervisor: Supervisor, tmp_path: Path) -> None:
    found = exam(supervisor, tmp_path / "r.ndjson", Means.CATALOGUE, code="TORN").attempts
    assert [each.caught for each in found] == [False, False]
    assert found[0].codes == {"TORN": 3}


@pytest.mark.thorough
def test_a_command_that_hangs_is_ended(supervisor: Supervisor, tmp_path: Path) -> None:
    started = time.monotonic()
    results = tmp_path / "r.ndjson"
    (found,) = exam(supervisor, results, Means.KILLS, red_from=9, sleep_s=60, limit_s=2).attempts
    assert time.monotonic() - started < 30
    assert not found.caught
    assert "did not end within 2 s" in found.problem


def test_a_file_that_is_something_else_is_a_usage_error(tmp_path: Path) -> None:
    other = tmp_path / "other.ndjson"
    other.write_text('{"some": "thing"}\n')
    with pytest.raises(UsageError, match="is no file of such an exam"):
        read_results(other)


# ---------------------------------------------------------------- controls


def test_a_catch_is_repeated_once_without_the_bug(supervisor: Supervisor, tmp_path: Path) -> None:
    results = tmp_path / "r.ndjson"
    found = exam(supervisor, results, Means.CATALOGUE, Means.CRASHPOINTS, red_from=2)
    assert [each.caught for each in found.attempts] == [False, True, False]
    (control,) = found.controls
    assert control.repeat == found.attempts[1].repeat.replace(', "--bug", "loses"', "")
    assert (control.verdict, control.codes, control.problem) == (Verdict.PASS, {}, "")
    assert exam(supervisor, results, Means.CATALOGUE, red_from=2).controls == [control]


def test_a_control_that_could_not_be_judged_is_tried_again_by_the_next_exam(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    results = tmp_path / "r.ndjson"
    exam(supervisor, results, Means.CATALOGUE)
    attempt, control = results.read_bytes().splitlines()
    results.write_bytes(b"%s\n%s\n" % (attempt, control.replace(b'"pass"', b'"unknown"')))
    again = exam(supervisor, results, Means.CATALOGUE)
    assert [each.verdict for each in again.controls] == [Verdict.UNKNOWN, Verdict.PASS]
    summary = summarise([LOSES], again, budget_s=120)
    assert summary.controls[Means.CATALOGUE] == Controls(green=1, not_green=0, missing=0)


def test_bugs_that_differ_by_nothing_else_have_one_control(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    results = tmp_path / "r.ndjson"
    exam(supervisor, results, Means.CATALOGUE)
    (control,) = read_results(results).controls
    twin = msgspec.structs.replace(
        LOSES, name="twin", args=[*LOSES.args[:-1], "twin"], switch=["--bug", "twin"]
    )
    caught = attempt(
        bug="twin",
        means=Means.CATALOGUE,
        caught=True,
        repeat=repeat(twin, Means.CATALOGUE, seed=1),
    )
    assert control_of(caught, twin) == control.repeat


def test_of_a_matrix_only_what_was_red_is_repeated() -> None:
    words = {"means": Means.CRASHPOINTS, "caught": True}
    command = repeat(LOSES, Means.CRASHPOINTS, seed=1)
    cells = "Produce x crash-after, EndTxn(commit) x drop-request x span"
    one = control_words(attempt(**words, repeat=command, fault=cells), LOSES)
    assert one is not None
    assert "--stop-after" not in one
    assert one[-4:] == [
        "--cell",
        "Produce x crash-after",
        "--cell",
        "EndTxn(commit) x drop-request x span",
    ]
    learned = control_words(attempt(**words, repeat=command, fault=NO_FAULT), LOSES)
    assert learned is not None
    assert learned[-1] == "--learn-only"


def test_a_zoo_that_does_not_tell_its_switches_has_no_controls() -> None:
    bare = msgspec.structs.replace(LOSES, switch=[])
    assert control_words(attempt(caught=True), bare) is None


def test_a_catch_whose_control_is_not_green_shows_nothing(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    found = exam(supervisor, tmp_path / "r.ndjson", Means.CATALOGUE, sick=True)
    assert found.attempts[0].caught
    assert found.controls[0].problem == "something was found"
    summary = summarise([LOSES], found, budget_s=120)
    assert summary.controls[Means.CATALOGUE] == Controls(green=0, not_green=1, missing=0)
    assert (summary.caught[Means.CATALOGUE], summary.not_caught) == (0, ["loses"])
    line = next(each for each in power_page(summary).splitlines() if each.startswith("| `loses`"))
    assert "✗ not shown" in line


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, None])
def test_a_control_that_says_nothing_is_not_green(verdict: Verdict | None) -> None:
    caught = attempt(caught=True, repeat=repeat(LOSES, Means.KILLS, seed=1))
    control = Control(
        repeat=control_of(caught, LOSES),
        means=Means.KILLS,
        verdict=verdict,
        codes={},
        seconds=1.0,
        at=caught.at,
        load=1.0,
    )
    assert shown(caught, LOSES, [control]) is Shown.NOT_GREEN
    assert shown(caught, LOSES, []) is Shown.MISSING


# ---------------------------------------------------------------- what it comes to


def test_chance_and_crash_points_are_compared_at_the_same_time() -> None:
    by_cell = {"means": Means.CRASHPOINTS, "caught": True}
    attempts = [
        attempt(1, seconds=50),
        attempt(2, seconds=60),
        attempt(3, seconds=40, caught=True),
        attempt(1, seconds=30, **by_cell),
        attempt(1, bug="late", seconds=130, **by_cell),
        attempt(1, bug="late", seconds=140),
        attempt(1, bug="never", seconds=20, means=Means.CATALOGUE),
        attempt(1, bug="never", seconds=140),
        attempt(1, bug="never", seconds=9, means=Means.CRASHPOINTS, problem="it does not start"),
    ]
    bugs = [
        Bug(name=name, breaks="", codes=["LOST"], args=[]) for name in ("loses", "late", "never")
    ]
    summary = summarise(bugs, Results(attempts=attempts), budget_s=120)
    row = summary.row("loses", Means.KILLS)
    assert row is not None
    assert (row.attempts, row.seconds, row.repeat) == (3, 150, "eoscheck run --seed 3")
    assert summary.caught == {Means.KILLS: 1, Means.CATALOGUE: 0, Means.CRASHPOINTS: 2}
    assert summary.within_budget == {Means.KILLS: 0, Means.CATALOGUE: 0, Means.CRASHPOINTS: 1}
    assert summary.median_s == {Means.KILLS: 150, Means.CRASHPOINTS: 80}
    # What could not be made was not tried.
    assert summary.tried == {Means.KILLS: 3, Means.CATALOGUE: 1, Means.CRASHPOINTS: 2}
    assert (summary.paired.bugs, summary.paired.kills, summary.paired.crashpoints) == (2, 0, 1)
    assert summary.not_caught == ["never"]
    assert summary.exit_code == 1
    assert summarise(bugs[:2], Results(attempts=attempts), budget_s=120).exit_code == 0


def test_the_page_says_what_caught_what() -> None:
    attempts = [
        attempt(seconds=130, problem="a broker | was gone"),
        attempt(seconds=31, means=Means.CATALOGUE, caught=True),
    ]
    summary = summarise([LOSES], Results(attempts=attempts), budget_s=120)
    page = power_page(summary)
    line = next(line for line in page.splitlines() if line.startswith("| `loses`"))
    assert line.count("|") - line.count("\\|") == 5, "four columns, whatever a problem says"
    assert "`LOST`: 5 random kills, 31 s" in line
    assert "- **loses**: `eoscheck run --seed 1`" in page
    assert "by a scenario or a crash point: 1 of 1" in power_lines(summary)
    assert (
        json.loads(power_json(summary, repeat="eoscheck certify"))["repeat"] == "eoscheck certify"
    )
