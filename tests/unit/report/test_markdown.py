from __future__ import annotations

from eoscheck.audit.findings import Verdict
from eoscheck.report.markdown import to_markdown
from tests.unit.report import samples


def test_the_verdict_comes_first_then_a_row_for_each_run_and_how_to_repeat_it() -> None:
    demo = samples.demo()
    lines = to_markdown(demo).splitlines()
    assert lines[0] == "## ✅ All 3 runs came out as they must"
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 1 + len(demo.runs)
    assert {line.count("|") for line in lines if line.startswith("|")} == {11}
    assert lines[-1] == f"Repeat: `{demo.repeat}`"


def test_a_failed_run_tells_its_first_findings_and_how_many_there_are() -> None:
    text = to_markdown(samples.of(samples.broken()))
    assert text.startswith("## ❌ ")
    assert text.count("- **LOST**") == 5
    assert text.count("- **WRONG\\_RESULT**") == 3  # not hidden by the many of the other
    assert "40 in all" in text


def test_what_a_record_holds_is_no_markup_and_breaks_no_table() -> None:
    finding = samples.finding(samples.Code.LOST, 1, identity="a|b\n# <script>![x](http://y)`")
    run = samples.run_result(
        samples.Simulation(duration_s=6.0, kills=1),
        title="one | two",
        audit=samples.audit_report(
            verdict=Verdict.FAIL, anomalies={samples.Code.LOST: 1}, findings=[finding]
        ),
    )
    text = to_markdown(samples.of(run))
    assert r"identity a\|b \# \<script\>!\[x\](http://y)\`" in text
    assert {
        line.replace(r"\|", "").count("|") for line in text.splitlines() if line[:1] == "|"
    } == {11}


def test_a_command_with_backticks_is_still_code() -> None:
    result = samples.of(samples.changed(samples.passing(), repeat="run `date`"))
    assert to_markdown(result).endswith("Repeat: `` run `date` ``\n")
