from __future__ import annotations

import io
import json

import msgspec
import pytest
from rich.console import Console

from eoscheck.audit.findings import Code, Guarantee, Verdict
from eoscheck.report.as_json import to_json
from eoscheck.report.numbers import duration
from eoscheck.report.terminal import print_demo
from eoscheck.report.words import MEANING, headline, lede, overall, run_headline
from eoscheck.run.expectation import Expectation, ProtocolHazard
from eoscheck.run.result import DemoResult
from tests.unit.measure.histories import Simulation
from tests.unit.report import samples


@pytest.fixture(scope="module")
def demo() -> DemoResult:
    return samples.demo()


def printed(result: DemoResult, *, width: int = 160) -> str:
    output = io.StringIO()
    print_demo(result, console=Console(file=output, width=width, color_system=None))
    return output.getvalue()


def test_verdicts_come_first_and_the_repeat_command_last(demo: DemoResult) -> None:
    lines = printed(demo).splitlines()
    assert lines[0].startswith("✓ pass")
    assert "Kills under exactly-once: Exactly-once held" in lines[0]
    assert lines[-1] == f"repeat: {demo.repeat}"
    assert "All 3 runs came out as they must" in lines[-2]


def test_a_red_run_that_had_to_be_red_says_so_and_shows_the_first_of_each_code(
    demo: DemoResult,
) -> None:
    text = printed(demo)
    assert "✗ fail" in text
    assert "37 × LOST, 3 × WRONG_RESULT (as it must)" in text
    assert text.count("  LOST payments-") == 3
    assert text.count("  WRONG_RESULT receipts-") == 3
    assert "and 34 more" in text


def test_a_run_that_should_have_failed_and_did_not_is_called_out() -> None:
    run = samples.changed(
        samples.passing(), expected=Expectation(verdict=Verdict.FAIL), as_expected=False
    )
    assert "(must be: fail)" in printed(samples.of(run))


def test_a_run_that_no_app_could_pass_names_the_protocol_s_hazard_and_who_is_exposed() -> None:
    hazard = ProtocolHazard(class_="held EndTxn", exposed="all but the newest", why="no epoch")
    expected = Expectation(verdict=Verdict.FAIL, hazard=hazard)
    run = samples.changed(samples.broken(), expected=expected, as_expected=True)
    text = printed(samples.of(run))
    assert "(as it must: the protocol's held EndTxn)" in text
    assert "no epoch" in text
    assert "exposed: all but the newest" in text
    passed = samples.changed(samples.passing(), expected=expected, as_expected=False)
    assert "exposed" not in printed(samples.of(passed))


def test_figures_stand_side_by_side_for_all_runs(demo: DemoResult) -> None:
    [row] = [line for line in printed(demo).splitlines() if line.startswith("recovery p50")]
    for run in demo.runs:
        recovered = run.figures.recovery.recovered
        assert recovered is not None
        assert f"{recovered.max:.2f} s" in row
    [row] = [line for line in printed(demo).splitlines() if line.startswith("duplicated")]
    copies = demo.runs[1].audit.allowed[Code.DUPLICATE]
    assert row.split()[1:] == ["0", f"{copies}", "0"]


def test_many_runs_have_a_line_each_with_what_their_faults_cost() -> None:
    runs = [samples.changed(samples.passing(), scenario=f"scenario-{n}") for n in range(5)]
    runs[3] = samples.changed(
        runs[3], expected=Expectation(verdict=Verdict.FAIL), as_expected=False
    )
    together = msgspec.structs.replace(samples.of(runs[0]), runs=runs)
    lines = printed(together).splitlines()
    for run in runs:
        (line,) = [each for each in lines if each.startswith(run.scenario)]
        outage, recovered = run.figures.longest_outage, run.figures.recovery.recovered
        assert outage is not None
        assert recovered is not None
        assert duration(outage.seconds) in line
        assert f"/ {duration(recovered.max)}" in line
        assert ("(must be: fail)" in line) is (run is runs[3])


def test_the_cost_is_a_sentence_with_its_interval(demo: DemoResult) -> None:
    [line] = [line for line in printed(demo).splitlines() if line.startswith("exactly-once costs")]
    assert "11.5 % of the throughput of at-least-once (95 % interval 9.7 % to 13.3 %)" in line
    assert "4 pairs" in line


def test_names_that_are_there_to_be_copied_are_not_broken_on_a_narrow_terminal() -> None:
    topic = "payments-bug-offsets-before-outputs-20260102-030405-959"
    lost = msgspec.structs.replace(samples.finding(Code.LOST, 7), topic=topic)
    audit = samples.audit_report(verdict=Verdict.FAIL, anomalies={Code.LOST: 1}, findings=[lost])
    run = samples.run_result(Simulation(duration_s=5.0, kills=1), title="t", audit=audit)
    assert f"LOST {topic}-3 @ 1207  identity 2007" in printed(samples.of(run), width=60)


def test_a_finding_about_a_whole_topic_names_no_partition() -> None:
    stalled = msgspec.structs.replace(
        samples.finding(Code.STALLED, 0), topic="receipts", partition=-1, offsets=[]
    )
    audit = samples.audit_report(
        verdict=Verdict.FAIL, anomalies={Code.STALLED: 1}, findings=[stalled]
    )
    run = samples.run_result(Simulation(duration_s=5.0, kills=1), title="t", audit=audit)
    (line,) = [each for each in printed(samples.of(run)).splitlines() if "  STALLED" in each]
    assert line.split("identity")[0].split() == ["STALLED", "receipts"]


def test_a_records_content_is_not_markup() -> None:
    audit = samples.audit_report(
        verdict=Verdict.FAIL,
        anomalies={Code.LOST: 1},
        findings=[samples.finding(Code.LOST, 0, identity="[bold red]payment[/]")],
    )
    run = samples.run_result(Simulation(duration_s=5.0, kills=1), title="[b]t[/b]", audit=audit)
    text = printed(samples.of(run))
    assert "[bold red]payment[/]" in text
    assert "[b]t[/b]" in text


def test_reasons_are_given_once() -> None:
    text = printed(samples.of(samples.undecided()))
    assert text.count("an open transaction outlasted") == 1
    assert text.count("1 of 3 faults did not bite") == 1


def test_every_code_has_a_meaning() -> None:
    assert set(MEANING) == set(Code)


def test_several_runs_pass_when_each_came_out_as_it_must() -> None:
    good, red, grey = samples.passing(), samples.broken(), samples.undecided()
    wrong = samples.changed(red, expected=Expectation(), as_expected=False)

    def together(*runs: samples.RunResult) -> DemoResult:
        return msgspec.structs.replace(samples.of(good), runs=list(runs))

    assert overall(together(good, red)) is Verdict.PASS
    assert overall(together(good, grey)) is Verdict.UNKNOWN
    assert overall(together(good, grey, wrong)) is Verdict.FAIL
    assert headline(together(good, grey, wrong)) == "2 of 3 runs did not come out as they must"
    unfound = samples.changed(good, expected=Expectation(verdict=Verdict.FAIL), as_expected=False)
    assert overall(together(good, unfound)) is Verdict.FAIL


@pytest.mark.parametrize("verdict", list(Verdict))
def test_one_run_has_its_own_verdict_whatever_it_had_to_be(verdict: Verdict) -> None:
    run = samples.changed(samples.passing(), verdict=verdict, as_expected=True)
    assert overall(samples.of(run)) is verdict
    assert json.loads(to_json(samples.of(run)))["verdict"] == verdict.value


def test_what_a_guarantee_allows_is_said_beside_its_pass() -> None:
    audit = samples.audit_report(
        expect=Guarantee.AT_LEAST_ONCE, allowed={Code.DUPLICATE: 12, Code.WRONG_RESULT: 3}
    )
    run = samples.changed(samples.passing(), audit=audit, guarantee=Guarantee.AT_LEAST_ONCE)
    held = "At-least-once held (12 × DUPLICATE, 3 × WRONG_RESULT, which it allows)"
    assert run_headline(run) == held


def test_the_lede_has_the_figures_of_the_first_run_and_the_cost(demo: DemoResult) -> None:
    text = lede(demo)
    assert "Of 10 faults, half gave new output within 1.62 s" in text
    assert "the longest took 3.19 s" in text
    assert "Exactly-once costs 11.5 %" in text


def test_json_is_one_object_with_the_keys_scripts_rely_on(demo: DemoResult) -> None:
    content = json.loads(to_json(demo))
    assert {"verdict", "counts", "hazards", "findings", "runs", "cost"} <= content.keys()
    assert content["verdict"] == "pass"
    keys = {"run_id", "code", "topic", "partition", "offsets", "identity", "detail"}
    assert all(keys <= finding.keys() for finding in content["findings"])
    assert len(content["findings"]) == sum(len(run.audit.findings) for run in demo.runs)
    assert content["counts"]["output_records"] == sum(
        run.audit.counts["output_records"] for run in demo.runs
    )
    for run, result in zip(content["runs"], demo.runs, strict=True):
        assert run["verdict"] == result.verdict.value
        assert run["counts"] == result.audit.counts
        assert run["figures"] == msgspec.to_builtins(result.figures)
