from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from eoscheck.cli.report import command
from eoscheck.errors import UsageError
from eoscheck.explore.measures.folder import read_measured
from eoscheck.measure.measured import MEASURED_FILE, Measured, RecoveryMeasure
from eoscheck.report.measure_view import interval_panels
from eoscheck.report.measured import render_measures, write_measured
from tests.unit.report import measured_samples as samples
from tests.unit.report.pages import Page, read

ALL = [samples.recovery(), samples.cost(), samples.commit_interval(), samples.restore()]


@pytest.fixture(scope="module")
def page() -> Page:
    return read(render_measures(ALL))


def inside(page: Page) -> list[Measured]:
    [script] = page.all("script")
    return msgspec.json.decode(script.text, type=list[Measured])


def test_the_page_is_well_formed_and_loads_nothing(page: Page) -> None:
    assert page.faults == []
    for element in page.elements:
        assert "src" not in element.attributes
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]


def test_all_data_are_inside_as_they_were_and_a_hostile_note_stays_text(page: Page) -> None:
    assert inside(page) == ALL
    assert page.text.count(samples.HOSTILE) == len(ALL)


def test_each_measure_says_its_answer_and_how_to_repeat_it(page: Page) -> None:
    for measured in ALL:
        assert measured.headline in page.text
        assert measured.repeat in page.text


def test_each_recovery_is_a_dot_that_says_its_time(page: Page) -> None:
    recovery = samples.recovery().recovery
    assert recovery is not None
    dots = [e for e in page.all("circle") if e.attributes.get("cy") != "5"]
    drawn = [e for e in dots if (e.attributes.get("class") or "").startswith("dot")]
    assert len(drawn) == 2 * sum(len(kind.samples) for kind in recovery.kinds)
    assert all(dot.text for dot in drawn)


@pytest.mark.parametrize(
    ("measures", "worst"),
    [(ALL, "fail"), (ALL[1:], ""), ([samples.only("met")], "pass")],
)
def test_the_page_has_the_colour_of_the_worst_objective(
    measures: list[Measured], worst: str
) -> None:
    page = read(render_measures(measures))
    masthead = page.all("header")[0]
    assert (masthead.attributes["class"] or "").split() == ["masthead", *([worst] if worst else [])]


def test_a_measure_without_a_single_repetition_is_still_a_page() -> None:
    empty = msgspec.structs.replace(samples.recovery(), recovery=RecoveryMeasure(kinds=[]))
    assert "No recovery was seen to end" in read(render_measures([empty])).text


def test_the_report_command_draws_folders_of_measures(tmp_path: Path) -> None:
    folders = []
    for number, measured in enumerate(ALL):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / MEASURED_FILE).write_bytes(msgspec.json.encode(measured))
        folders.append(str(folder))
    output = tmp_path / "all.html"
    done = CliRunner().invoke(command, [*folders, "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert inside(read(output.read_text())) == ALL


def test_a_file_that_is_no_measure_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / MEASURED_FILE).write_text('{"what": "luck"}')
    with pytest.raises(UsageError, match="not a measure of this version"):
        read_measured(tmp_path)


def test_one_measure_has_its_answer_as_its_title(tmp_path: Path) -> None:
    path = write_measured(samples.restore(), path=tmp_path / "deep" / "report.html")
    [title] = read(path.read_text()).all("h1")
    assert title.text == samples.restore().headline


def test_an_interval_that_says_nothing_does_not_squeeze_the_curve() -> None:
    interval = samples.commit_interval().commit_interval
    assert interval is not None
    vague = [
        msgspec.structs.replace(
            point, throughput=msgspec.structs.replace(point.throughput, high=1e9, low=1.0)
        )
        for point in interval.points
    ]
    [throughput, *_] = interval_panels(msgspec.structs.replace(interval, points=vague))
    heights = [mark.y for mark in throughput.lines[0].marks]
    assert max(heights) - min(heights) > throughput.height / 3
    assert all(mark.high is not None and mark.high >= 0 for mark in throughput.lines[0].marks)
