"""The heat map says the same on a terminal, on a page and as JSON; and escapes what it is given."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from eoscheck.audit.findings import Code, Finding, Guarantee, Verdict
from eoscheck.cli.report import command as report_command
from eoscheck.errors import UsageError
from eoscheck.explore.crashpoints.cells import full_matrix, parse_cell
from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion
from eoscheck.explore.crashpoints.result import MATRIX_FILE, CellResult, Colour, MatrixResult
from eoscheck.report.heatmap import (
    heat_map,
    matrix_json,
    print_matrix,
    read_matrix,
    render_matrix,
    write_matrix,
)
from eoscheck.report.heatmap_live import MatrixProgress
from tests.unit.explore.crashpoints.matrices import outcome


def cell(name: str, colour: Colour = Colour.GREEN, **other: Any) -> CellResult:
    parsed = parse_cell(name)
    return CellResult(
        cell=parsed, colour=colour, repeat=f"eoscheck crashpoints --cell '{name}'", **other
    )


def matrix(*cells: CellResult, verdict: Verdict = Verdict.PASS, **other: Any) -> MatrixResult:
    fields: dict[str, Any] = {
        "matrix_id": "m-1",
        "scenario": "crashpoints",
        "title": "Crash points of <my> app",
        "guarantee": Guarantee.EXACTLY_ONCE,
        "seed": 7,
        "started_at": "2026-01-02T03:04:05+00:00",
        "verdict": verdict,
        "reasons": [],
        "steps": [
            LearnedStep(step="JoinGroup", occasion=Occasion.START, times=1),
            LearnedStep(step="EndTxn(commit)", occasion=Occasion.WORK, times=5),
        ],
        "cells": list(cells),
        "left": [],
        "before": {},
        "before_findings": [],
        "allowed": {},
        "audits": 40,
        "duration_s": 221.0,
        "environment": {"kafka": "4.3.1"},
        "repeat": "eoscheck crashpoints --seed 7",
        "folder": "reports/m-1",
        "runs": [],
    }
    return MatrixResult(**{**fields, **other})


RED = cell(
    "EndTxn(commit) x crash-after",
    Colour.RED,
    reason="3 × LOST",
    instance=1,
    nth=2,
    rolled_back=True,
    codes={Code.LOST: 3},
    findings=[
        Finding(
            code=Code.LOST,
            topic="payments",
            partition=2,
            offsets=[17],
            identity="<b>4711</b>",
            detail="no output",
        )
    ],
)
CELLS = (
    cell("EndTxn(commit) x drop-response"),
    cell("EndTxn(commit) x drop-request x span"),
    cell("JoinGroup x crash-before", Colour.UNREACHED, reason="instance 0 sent no JoinGroup"),
    RED,
)


def shown(result: MatrixResult) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_matrix(result, console=console)
    written: io.StringIO = console.file  # type: ignore[assignment]
    return written.getvalue()


def test_rows_are_steps_in_the_order_of_the_protocol_columns_crashes_first_and_spans_last() -> None:
    heat = heat_map(matrix(*CELLS))
    assert heat.columns == ["crash-before", "crash-after", "drop-response", "drop-request x span"]
    assert [row.step for row in heat.rows] == ["JoinGroup", "EndTxn(commit)"]
    colours = [[each and each.colour.value for each in row.cells] for row in heat.rows]
    assert colours == [["unreached", None, None, None], [None, "red", "green", "green"]]


def test_the_terminal_has_the_verdict_the_map_and_how_to_repeat_each_red_cell() -> None:
    text = shown(matrix(*CELLS, verdict=Verdict.FAIL, reasons=["EndTxn(commit) x crash-after: x"]))
    assert "✗ fail" in text
    assert "1 cell red; 3 of 4 cells reached" in text
    assert "✗↺" in text
    assert "LOST payments-2 @ 17  identity <b>4711</b>" in text
    assert "eoscheck crashpoints --cell 'EndTxn(commit) x crash-after'" in text
    assert "JoinGroup x crash-before: instance 0 sent no JoinGroup" in text
    assert "the app rolled back in 1" in text


def test_many_columns_are_numbered_so_that_they_fit_a_terminal() -> None:
    cells = [cell(each.name) for each in full_matrix(["JoinGroup", "EndTxn(commit)"])]
    console = Console(file=io.StringIO(), width=80)
    print_matrix(matrix(*cells), console=console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert "1 crash-before, 2 crash-after" in text
    row = next(line for line in text.splitlines() if line.startswith("JoinGroup"))
    assert row.count("✓") == 14


def test_a_pass_says_what_its_guarantee_allowed() -> None:
    text = shown(matrix(CELLS[0], guarantee=Guarantee.AT_LEAST_ONCE, allowed={Code.DUPLICATE: 12}))
    assert "At-least-once held at every crash point (12 × DUPLICATE, which it allows)" in text


def test_a_pass_says_which_cells_the_protocol_itself_made_red() -> None:
    held = cell("EndTxn(commit) x hold", Colour.RED, reason="2 × DUPLICATE", known="it comes late")
    text = shown(matrix(CELLS[0], held))
    assert "held at every crash point, but for 1 known hazard of the protocol; 2 of" in text
    assert "known hazard of the protocol: it comes late" in text


def test_what_was_found_without_any_fault_comes_first() -> None:
    broken = matrix(verdict=Verdict.FAIL, before={Code.LOST: 2}, reasons=["without any fault"])
    assert "Without any fault: 2 × LOST" in shown(broken)
    with_finding = matrix(verdict=Verdict.FAIL, before={Code.LOST: 2}, before_findings=RED.findings)
    assert "&lt;b&gt;4711" in render_matrix(with_finding)


def test_a_reason_that_is_no_cells_is_told_as_well() -> None:
    assert "not drained in 30 s" in shown(
        matrix(*CELLS, verdict=Verdict.UNKNOWN, reasons=["not drained in 30 s"])
    )


def test_the_page_escapes_what_it_is_given_and_loads_nothing(tmp_path: Path) -> None:
    page = render_matrix(matrix(*CELLS, verdict=Verdict.FAIL))
    assert "<my>" not in page
    assert "<b>4711" not in page
    assert "&lt;b&gt;4711" in page
    assert "default-src &#39;none&#39;" in page
    assert "http" not in page.replace("http-equiv", "")
    written = write_matrix(matrix(*CELLS), path=tmp_path / "deep" / "report.html")
    assert written.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_has_its_data_as_json_inside() -> None:
    page = render_matrix(matrix(*CELLS))
    inside = page.partition('id="eoscheck-data">')[2].partition("</script>")[0]
    assert [each["colour"] for each in json.loads(inside)["cells"]] == [
        "green",
        "green",
        "unreached",
        "red",
    ]


def test_json_has_coverage_and_the_cells_by_name() -> None:
    content = json.loads(matrix_json(matrix(*CELLS, verdict=Verdict.FAIL)))
    assert content["verdict"] == "fail"
    assert content["coverage"] == {"reached": 3, "planned": 4}
    assert content["counts"] == {"green": 2, "red": 1, "unreached": 1}
    assert content["rolled_back"] == ["EndTxn(commit) x crash-after"]
    assert content["cells"][3]["name"] == "EndTxn(commit) x crash-after"


def test_progress_tells_each_cell_with_a_forecast() -> None:
    console = Console(file=io.StringIO(), width=200)
    now = iter([100.0, 103.0, 110.0])
    progress = MatrixProgress(console=console, clock=lambda: next(now))
    progress.learned([LearnedStep(step="JoinGroup", occasion=Occasion.START, times=1)], 3)
    progress.tried(outcome("JoinGroup x crash-after", ended=3.0), 2)
    progress.tried(outcome("JoinGroup x crash-before", fired=False, reason="none came"), 1)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "learned 1 step: JoinGroup"
    assert lines[2] == "[1/3] JoinGroup x crash-after: instance 0, 3.00 s, about 6.00 s left"
    assert lines[3].startswith("[2/3] JoinGroup x crash-before: not reached: none came")
    assert lines[3].endswith("about 5.00 s left")


def test_a_matrix_is_drawn_again_from_its_folder(tmp_path: Path) -> None:
    result = matrix(*CELLS)
    (tmp_path / MATRIX_FILE).write_bytes(msgspec.json.encode(result))
    assert read_matrix(tmp_path) == result
    done = CliRunner().invoke(report_command, [str(tmp_path)], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render_matrix(result)


def test_what_is_no_matrix_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / MATRIX_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="not a matrix of this version"):
        read_matrix(tmp_path)
