from __future__ import annotations

from xml.etree import ElementTree

import pytest

from eoscheck.audit.findings import Verdict
from eoscheck.report.junit import to_junit
from eoscheck.run.result import DemoResult
from tests.unit.report import samples


def suite_of(result: DemoResult) -> ElementTree.Element:
    [suite] = ElementTree.fromstring(to_junit(result))
    return suite


@pytest.mark.parametrize(
    ("run", "outcome"),
    [(samples.passing(), None), (samples.broken(), "failure"), (samples.undecided(), "error")],
    ids=["pass", "fail", "unknown"],
)
def test_a_run_is_a_test_case_with_its_verdict(run: samples.RunResult, outcome: str | None) -> None:
    suite = suite_of(samples.of(run))
    [case] = suite.findall("testcase")
    assert [each.tag for each in case if each.tag != "properties"] == ([outcome] if outcome else [])
    assert suite.attrib["failures"] == str(int(outcome == "failure"))
    assert suite.attrib["errors"] == str(int(outcome == "error"))
    properties = {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
    assert properties["seed"] == str(run.seed)
    assert properties["repeat"] == run.repeat


def test_of_several_runs_a_bug_on_purpose_that_was_found_is_no_failure() -> None:
    suite = suite_of(samples.demo())
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "0")
    surprise = samples.changed(samples.broken(), as_expected=False)
    twice = samples.of(surprise)
    both = samples.DemoResult(
        title="both",
        runs=[*twice.runs, samples.passing()],
        cost=None,
        repeat="r",
        generated_at=twice.generated_at,
    )
    assert suite_of(both).attrib["failures"] == "1"


def test_a_failure_names_the_first_findings_and_what_a_record_holds_stays_text() -> None:
    hostile = "\x00\x1b[31m]]></failure><script>"
    finding = samples.finding(samples.Code.LOST, 1, identity=hostile)
    run = samples.run_result(
        samples.Simulation(duration_s=6.0, kills=1),
        title=hostile,
        audit=samples.audit_report(
            verdict=Verdict.FAIL, anomalies={samples.Code.LOST: 30}, findings=[finding] * 30
        ),
    )
    [case] = suite_of(samples.of(run)).findall("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.count("]]></failure><script>") == 10
    assert "20 more in the report" in failure.text
    assert "\ufffd" in failure.text  # in place of what XML cannot hold
