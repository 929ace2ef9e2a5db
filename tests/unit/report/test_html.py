from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eoscheck.audit.findings import Guarantee, Hazard, HazardCode, Unknown, Verdict
from eoscheck.history import Event, InstanceStarted
from eoscheck.measure import from_history
from eoscheck.report import numbers
from eoscheck.report.charts import ChartLibrary, NoCharts
from eoscheck.report.html import render, write_html
from eoscheck.report.view import run_view
from eoscheck.run.result import DemoResult
from eoscheck.run.sequence import SequenceStep, StepSequence
from tests.unit.measure.histories import Simulation, fault, seen, sent
from tests.unit.report import samples
from tests.unit.report.pages import Page, read

CHARTS = ChartLibrary(script="/* charts */", style=".u-x{}", license="The MIT License\n")
NONE = NoCharts(reason="cannot download it: no route to host; check the network")


@pytest.fixture(scope="module")
def demo() -> DemoResult:
    return samples.demo()


@pytest.fixture(scope="module")
def text(demo: DemoResult) -> str:
    return render(demo, charts=CHARTS)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return read(text)


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.faults == []
    identifiers = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(identifiers) == len(set(identifiers))


def test_nothing_is_loaded_from_elsewhere(text: str, page: Page) -> None:
    for element in page.elements:
        assert "src" not in element.attributes
        assert element.tag not in {"link", "iframe", "img", "object", "embed", "base"}
        assert (element.attributes.get("href") or "#").startswith("#")
    assert all(
        "url(" not in style.text and "@import" not in style.text for style in page.all("style")
    )
    assert not re.findall(r"https?://", text)


def test_the_policy_allows_exactly_the_styles_and_scripts_that_stand_in_the_page(
    page: Page,
) -> None:
    [policy] = [
        element.attributes["content"]
        for element in page.all("meta")
        if element.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    executed = [s for s in page.all("script") if s.attributes.get("type") != "application/json"]

    def hashes(texts: list[str]) -> set[str]:
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}

    assert directives["default-src"] == "'none'"
    assert set(directives["script-src"].split()) == hashes([script.text for script in executed])
    assert set(directives["style-src"].split()) == hashes([s.text for s in page.all("style")])
    assert len(executed) == 2


def test_no_element_has_a_style_or_a_handler_that_the_policy_would_stop(page: Page) -> None:
    for element in page.elements:
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]


def test_the_chart_librarys_licence_stands_beside_its_script(page: Page) -> None:
    [script] = [s for s in page.all("script") if "charts" in s.text and "MIT" in s.text]
    assert script.text.index("The MIT License") < script.text.index("/* charts */")


def test_a_script_in_a_record_stays_text(text: str, page: Page) -> None:
    assert samples.HOSTILE not in text
    assert text.lower().count("<script") == 3
    shown = [e.text for e in page.all("code") if "alert" in e.text]
    assert shown == [samples.HOSTILE]


def test_hostile_words_anywhere_in_the_result_stay_text() -> None:
    hostile = samples.HOSTILE
    finding = samples.finding(samples.Code.LOST, 1, identity=hostile)
    finding = msgspec.structs.replace(
        finding,
        topic=hostile,
        detail=hostile,
        evidence={hostile: hostile, "b": {hostile: [hostile]}},
    )
    audit = samples.audit_report(
        verdict=Verdict.FAIL,
        anomalies={samples.Code.LOST: 1},
        findings=[finding],
        unknowns=[Unknown(subject=hostile, reason=hostile)],
    )
    audit = msgspec.structs.replace(
        audit,
        hazards=[Hazard(code=HazardCode.LONG_TRANSACTION, detail=hostile, facts={hostile: 1})],
    )
    run = samples.run_result(
        Simulation(duration_s=6.0, kills=1), title=hostile, audit=audit, reasons=[hostile]
    )
    run = samples.changed(run, environment={hostile: hostile}, repeat=hostile, scenario=hostile)
    demo = msgspec.structs.replace(samples.of(run), title=hostile, generated_at=hostile)
    demo = msgspec.structs.replace(demo, runs=[run, run])
    content = render(demo, charts=NoCharts(reason=hostile))
    hurt = read(content)
    assert hurt.faults == []
    assert len(hurt.all("script")) == 1
    assert content.lower().count("<script") == 1
    assert samples.HOSTILE not in content


def test_all_raw_data_are_inside_unchanged(demo: DemoResult, page: Page) -> None:
    [data] = [s for s in page.all("script") if s.attributes.get("id") == "eoscheck-data"]
    assert not set("<>&") & set(data.text)
    assert msgspec.json.decode(data.text, type=DemoResult) == demo


def figures_of(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from figures_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from figures_of(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def test_every_number_shown_is_one_of_the_results(demo: DemoResult, page: Page) -> None:
    known = set(figures_of(msgspec.to_builtins(demo)))
    assert demo.cost is not None
    derived = {drain.records_per_s for drain in demo.cost.drains}
    for index, run in enumerate(demo.runs):
        view = run_view(index, run)
        derived |= {float(view.committed), float(view.lost), float(view.duplicated)}
    shown = [float(element.attributes["value"] or "nan") for element in page.all("data")]
    assert len(shown) > 200
    assert set(shown) <= known | derived


def test_every_number_is_shown_as_what_it_is(page: Page) -> None:
    forms = [
        numbers.count,
        numbers.duration,
        numbers.moment,
        numbers.rate,
        numbers.percent,
        lambda value: numbers.duration(value / 1e6),
        lambda value: f"{value:.2f} ×",
    ]
    for element in page.all("data"):
        value = float(element.attributes["value"] or "nan")
        assert element.text in {form(value) for form in forms}


def test_every_figure_of_the_result_is_shown(demo: DemoResult, page: Page) -> None:
    shown = {float(element.attributes["value"] or "nan") for element in page.all("data")}
    for run in demo.runs:
        figures = run.figures
        wanted: set[float | None] = {
            figures.counts.sent,
            figures.counts.acknowledged,
            figures.counts.aborted,
            figures.counts.indeterminate,
            run.tally.injected,
            run.tally.left_open,
            run.tally.outlasted_session,
            run.tally.wiped,
            figures.longest_gap_s.before,
            figures.longest_gap_s.during,
            figures.longest_gap_s.after,
            *run.audit.anomalies.values(),
            *run.audit.allowed.values(),
        }
        for latency in (figures.latency.overall, figures.latency.steady, figures.latency.faults):
            assert latency is not None
            wanted |= set(msgspec.structs.astuple(latency))
        for spread in (
            figures.recovery.recovered,
            figures.recovery.all_recovered,
            figures.recovery.caught_up,
        ):
            assert spread is not None
            wanted |= {spread.p50.value, spread.max}
        for recovery in figures.recoveries:
            wanted |= {
                recovery.t,
                recovery.down_s,
                recovery.recovered_after_s,
                recovery.all_recovered_after_s,
                recovery.caught_up_after_s,
            }
        assert {float(value) for value in wanted if value is not None} <= shown
    cost = demo.cost
    assert cost is not None
    assert {cost.cost.value, cost.cost.low, cost.cost.high} <= shown
    assert {cost.measured.records_per_s, cost.baseline.records_per_s} <= shown
    assert {drain.seconds for drain in cost.drains} <= shown


def test_a_figure_that_changes_changes_the_page(demo: DemoResult, text: str) -> None:
    run = demo.runs[0]
    counts = msgspec.structs.replace(run.figures.counts, indeterminate=987_654)
    figures = msgspec.structs.replace(run.figures, counts=counts)
    other = samples.changed(run, figures=figures)
    changed = msgspec.structs.replace(demo, runs=[other, *demo.runs[1:]])
    assert "987,654" not in text
    assert "987,654" in render(changed, charts=CHARTS)


def test_the_verdict_stands_first_with_seed_and_repeat_command(
    page: Page, demo: DemoResult
) -> None:
    beginning = page.text[:600]
    assert "All 3 runs came out as they must" in beginning
    assert demo.repeat in beginning
    assert re.search(r"Seed\s*1\b", beginning)


def test_findings_of_a_failed_run_stand_before_its_figures(page: Page) -> None:
    [failed] = [section.text for section in page.all("section") if "LOST ×" in section.text]
    assert failed.index("LOST ×") < failed.index("Timeline")


def test_the_first_findings_of_each_code_have_their_cards(demo: DemoResult, page: Page) -> None:
    found = Counter((run.run_id, each.code) for run in demo.runs for each in run.audit.findings)
    expected = sum(min(number, 30) for number in found.values())
    cards = page.all("article")
    assert len(cards) == expected
    assert sum("transactional id" in card.text for card in cards) == expected


def test_a_run_where_all_goes_wrong_stays_small() -> None:
    codes = list(samples.Code)[:10]
    audit = samples.audit_report(
        verdict=Verdict.FAIL,
        anomalies=dict.fromkeys(codes, 100),
        findings=[samples.finding(code, i) for code in codes for i in range(100)],
    )
    run = samples.run_result(Simulation(duration_s=6.0, kills=1), title="t", audit=audit)
    assert len(render(samples.of(run), charts=CHARTS).encode()) < 3_000_000


def test_what_was_found_and_not_shown_is_said() -> None:
    audit = samples.audit_report(
        expect=Guarantee.AT_LEAST_ONCE,
        allowed={samples.Code.DUPLICATE: 12_345},
        findings=[samples.finding(samples.Code.DUPLICATE, i, allowed=True) for i in range(100)],
    )
    run = samples.run_result(Simulation(duration_s=6.0, kills=1), title="t", audit=audit)
    assert "the first 30 of 12,345 are shown" in read(render(samples.of(run), charts=NONE)).text


def test_without_the_chart_library_the_numbers_are_there_and_the_way_to_the_charts() -> None:
    demo = samples.demo()
    bare = read(render(demo, charts=NONE))
    assert bare.faults == []
    assert [s.attributes.get("type") for s in bare.all("script")] == ["application/json"]
    assert NONE.reason in bare.text
    policies = [element.attributes.get("content") or "" for element in bare.all("meta")]
    assert any("script-src 'none'" in policy for policy in policies)
    rows = [row for row in bare.all("tr") if "kill of instance" in row.text]
    assert len(rows) == sum(len(run.figures.recoveries) for run in demo.runs)


def test_each_fault_is_shown_with_who_it_was_done_to() -> None:
    events: list[Event] = [
        sent(1.0, ("a", 0, 1.0), ("b", 0, 6.0)),
        fault(2.0, "f1", kind="broker-kill", instance=None, target="broker 2 (<leader>)"),
        fault(3.0, "f2", kind="pause", instance=1),
        seen(7.0, "a", "b"),
    ]
    run = samples.changed(samples.passing(), figures=from_history(events))
    page = read(render(samples.of(run), charts=NONE))
    assert any("broker-kill of broker 2 (<leader>)" in row.text for row in page.all("tr"))
    assert any("pause of instance 1" in row.text for row in page.all("tr"))


def test_the_timelines_numbers_are_in_a_table(demo: DemoResult, page: Page) -> None:
    timeline = demo.runs[0].figures.timeline
    busiest = max(range(len(timeline.committed_per_s)), key=timeline.committed_per_s.__getitem__)
    start = numbers.moment(busiest * timeline.bin_s)
    rate = numbers.count(timeline.committed_per_s[busiest])
    [row] = [r for r in page.all("tr") if r.text.startswith(start) and rate in r.text][:1]
    assert numbers.count(timeline.lag[busiest]) in row.text


def test_a_fault_without_recovery_shows_as_one() -> None:
    events: list[Event] = [
        InstanceStarted(t=0.0, instance=0, pid=1, attempt=1, state_dir="s"),
        sent(1.0, ("a", 0, 1.0), ("b", 0, 6.0)),
        seen(1.5, "a"),
        fault(5.0),
        fault(7.0, "idle", partitions=None),
    ]
    run = samples.run_result(Simulation(), title="t", audit=samples.audit_report(), events=events)
    content = read(render(samples.of(run), charts=CHARTS))
    assert content.faults == []
    assert "No recovery was seen to end in this run" in content.text
    assert "not recovered in this run" in content.text
    assert "no input afterwards" in content.text
    assert "For 1 fault the victim's partitions are not known" in content.text


def test_a_run_without_events_still_has_a_report() -> None:
    run = samples.run_result(Simulation(), title="t", audit=samples.audit_report(), events=[])
    content = read(render(samples.of(run), charts=CHARTS))
    assert content.faults == []


def test_one_run_shows_its_own_verdict() -> None:
    red = render(samples.of(samples.broken()), charts=CHARTS)
    assert '<header class="masthead fail">' in red
    assert "Exactly-once did not hold: 37 × LOST, 3 × WRONG_RESULT" in read(red).text
    grey = render(samples.of(samples.undecided()), charts=CHARTS)
    assert '<header class="masthead unknown">' in grey
    assert "1 of 3 faults did not bite" in read(grey).text


def test_the_file_is_written_whole_and_nothing_is_left_beside_it(
    demo: DemoResult, tmp_path: Path
) -> None:
    path = write_html(demo, path=tmp_path / "new" / "report.html", charts=CHARTS)
    assert path.read_text(encoding="utf-8") == render(demo, charts=CHARTS)
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


@pytest.mark.thorough
def test_a_ten_minute_run_stays_under_three_megabytes() -> None:
    history = Simulation(duration_s=600.0, rate=25, kills=200).run()
    run = samples.run_result(Simulation(), title="t", audit=samples.audit_report(), events=history)
    size = len(render(samples.of(run), charts=CHARTS).encode())
    assert run.figures.timeline.bin_s == 0.2
    assert math.isclose(run.figures.duration_s, 600.0)
    assert size < 2_900_000


def test_a_traced_run_shows_its_steps_as_text_and_others_have_no_diagram(text: str) -> None:
    assert "On the wire" not in text
    steps = [SequenceStep(sent=1.0, answered=None, broker=1, step="<b>", action="hold")]
    sequence = StepSequence(title="<i>hold-1", at=1.0, instance=0, steps=steps)
    run = samples.changed(samples.passing(), sequences=[sequence])
    traced = render(samples.of(run), charts=CHARTS)
    assert read(traced).faults == []
    assert "&lt;b&gt; ← hold" in traced
    assert "Around &lt;i&gt;hold-1" in traced
