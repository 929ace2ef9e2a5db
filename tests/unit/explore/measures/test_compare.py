"""Two folders of the same are compared, others are refused, and a regression is an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from eoscheck.cli.main import cli
from eoscheck.errors import UsageError
from eoscheck.explore.measures.compare import compare
from eoscheck.measure.measured import (
    MEASURED_FILE,
    KindFigure,
    Measured,
    RecoveryMeasure,
    RecoverySample,
)
from eoscheck.run.result import DEMO_FILE, RESULT_FILE, RunResult
from tests.unit.report import samples


def kept(folder: Path, name: str, content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(msgspec.json.encode(content))
    return folder


def measured(times: list[float | None], **changes: object) -> Measured:
    kind = KindFigure(
        kind="kill",
        title="Kill",
        recovered=None,
        caught_up=None,
        phases=[],
        reprocessed=None,
        judgement=None,
        samples=[
            RecoverySample(
                kind="kill",
                run_id="r",
                t=0.0,
                recovered_after_s=seconds,
                caught_up_after_s=None,
                phases={},
                reprocessed=10,
            )
            for seconds in times
        ],
    )
    whole = Measured(
        what="recovery",
        measure_id="m",
        title="Recovery",
        headline="",
        scenario="app",
        seed=1,
        started_at="",
        environment={"cpus": "2", "eoscheck": "1"},
        repeat="",
        folder="",
        recovery=RecoveryMeasure(kinds=[kind]),
    )
    return msgspec.structs.replace(whole, **changes)


SLOWER: list[float | None] = [x + 5 for x in range(1, 11)]
QUICK: list[float | None] = [1 + x / 10 for x in range(10)]


def told(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, words)], standalone_mode=False)


def test_a_regression_is_marked_and_an_exit_code_on_request(tmp_path: Path) -> None:
    before = kept(tmp_path / "a", MEASURED_FILE, measured(QUICK))
    after = kept(tmp_path / "b", MEASURED_FILE, measured(SLOWER, environment={"cpus": "4"}))
    plain = told(before, after)
    assert plain.return_value == 0
    assert "REGRESSION" in plain.output
    assert "cpus: 2, then 4" in plain.output
    assert told(before, after, "--fail-on-regression").return_value == 1
    assert told(after, before, "--fail-on-regression").return_value == 0
    outcomes = {each["name"]: each["outcome"] for each in decoded(before, after)["changes"]}
    assert outcomes == {
        "recovery after kill": "regression",
        "reprocessed after kill": "no difference",
    }


def decoded(before: Path, after: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = json.loads(
        told(before, after, "--format", "json").output
    )
    return found


def test_recoveries_that_never_ended_are_a_regression(tmp_path: Path) -> None:
    before = kept(tmp_path / "a", MEASURED_FILE, measured(QUICK))
    after = kept(tmp_path / "b", MEASURED_FILE, measured([*QUICK[:3], *[None] * 7]))
    assert told(before, after, "--fail-on-regression").return_value in (0, 1)
    assert "–" in told(before, after).output


def test_a_pass_that_fails_is_a_regression_whatever_its_figures(tmp_path: Path) -> None:
    passed = kept(tmp_path / "a", RESULT_FILE, samples.passing())
    failed = kept(
        tmp_path / "b", RESULT_FILE, as_if(samples.broken(), scenario=samples.passing().scenario)
    )
    assert compare(passed, passed).regressions == 0
    comparison = compare(passed, failed)
    assert comparison.broken == 1
    assert told(passed, failed, "--fail-on-regression").return_value == 1
    assert told(failed, passed, "--fail-on-regression").return_value == 0


def as_if(run: RunResult, *, scenario: str) -> RunResult:
    return msgspec.structs.replace(run, scenario=scenario)


@pytest.mark.thorough
def test_demos_are_compared_run_by_run(tmp_path: Path) -> None:
    demo = kept(tmp_path / "a", DEMO_FILE, samples.demo())
    again = kept(tmp_path / "b", DEMO_FILE, samples.demo())
    comparison = compare(demo, again)
    assert comparison.regressions == 0
    assert any("throughput" in each.name for each in comparison.changes)


def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path: Path) -> None:
    recovery = kept(tmp_path / "a", MEASURED_FILE, measured(QUICK))
    other = kept(tmp_path / "b", MEASURED_FILE, measured(QUICK, scenario="another"))
    run = kept(tmp_path / "c", RESULT_FILE, samples.passing())
    broken = kept(tmp_path / "d", MEASURED_FILE, {"what": "nothing"})
    for first, second in ((recovery, other), (recovery, run), (recovery, tmp_path), (broken, run)):
        with pytest.raises(UsageError) as refused:
            compare(first, second)
        assert "\n" not in str(refused.value)
