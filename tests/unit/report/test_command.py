from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from eoscheck.cli import report as command_module
from eoscheck.cli.report import command
from eoscheck.errors import UsageError
from eoscheck.report.charts import ChartLibrary, NoCharts, chart_library
from eoscheck.report.folders import as_demo, read_folders
from eoscheck.report.html import render, write_html
from eoscheck.run.result import DEMO_FILE, RESULT_FILE, RunResult
from tests.unit.report import samples

CHARTS = ChartLibrary(script="/* charts */", style="", license="MIT")


@pytest.fixture(autouse=True)
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "chart_library", lambda: CHARTS)


def finished(folder: Path, run: RunResult) -> Path:
    folder.mkdir()
    (folder / RESULT_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    (folder / "history.ndjson").write_bytes(b"")
    return folder


def test_a_report_is_made_again_from_the_runs_folder_identically(tmp_path: Path) -> None:
    run = samples.broken()
    folder = finished(tmp_path / "run", run)
    original = write_html(as_demo([run]), path=folder / "report.html", charts=CHARTS).read_bytes()
    (folder / "report.html").unlink()
    done = CliRunner().invoke(command, [str(folder)], standalone_mode=False)
    assert done.exception is None
    assert done.output.strip() == str(folder / "report.html")
    assert (folder / "report.html").read_bytes() == original


def test_a_demos_report_is_made_again_with_its_cost(tmp_path: Path) -> None:
    demo = samples.demo()
    (tmp_path / DEMO_FILE).write_bytes(msgspec.json.encode(demo))
    assert read_folders([tmp_path]) == demo
    output = tmp_path / "elsewhere" / "r.html"
    CliRunner().invoke(command, [str(tmp_path), "--output", str(output)], standalone_mode=False)
    assert output.read_text() == render(demo, charts=CHARTS)


def test_several_runs_are_shown_as_one(tmp_path: Path) -> None:
    runs = [samples.passing(1), samples.passing(2)]
    folders = [finished(tmp_path / str(i), run) for i, run in enumerate(runs)]
    demo = read_folders(folders)
    assert demo.runs == runs
    assert demo.repeat == f"{runs[0].repeat} && {runs[1].repeat}"


def damaged(folder: Path) -> None:
    folder.mkdir()
    (folder / RESULT_FILE).write_text('{"run_id": 1}')


def unfinished(folder: Path) -> None:
    folder.mkdir()
    (folder / "history.ndjson").write_text("")


def demo_among_runs(folder: Path) -> None:
    folder.mkdir()
    (folder / DEMO_FILE).write_bytes(msgspec.json.encode(samples.demo()))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda _: None, "no folder"),
        (Path.mkdir, "is not a run's folder"),
        (unfinished, "did not finish"),
        (damaged, "is not a result of this version"),
        (demo_among_runs, "report it alone"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_in_one_line(
    tmp_path: Path,
    make: Callable[[Path], None],
    complaint: str,
) -> None:
    good = finished(tmp_path / "good", samples.passing())
    make(tmp_path / "bad")
    with pytest.raises(UsageError, match=complaint) as caught:
        read_folders([good, tmp_path / "bad"])
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", samples.passing())
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(
        command, [str(folder), "--output", str(tmp_path / "file" / "r.html")], standalone_mode=False
    )
    assert isinstance(done.exception, UsageError)
    assert "cannot be written" in str(done.exception)


@pytest.mark.thorough
def test_without_a_network_the_report_is_written_and_says_how_to_get_the_charts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOSCHECK_MAVEN_REPOSITORY", "http://127.0.0.1:9")
    charts = chart_library(cache=tmp_path / "cache")
    assert isinstance(charts, NoCharts)
    assert "EOSCHECK_MAVEN_REPOSITORY" in charts.reason
    path = write_html(samples.of(samples.passing()), path=tmp_path / "r.html", charts=charts)
    assert "EOSCHECK_MAVEN_REPOSITORY" in path.read_text()
