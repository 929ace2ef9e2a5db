"""The report with its real charts, and in a real browser where the machine has one."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from eoscheck.report.charts import ChartLibrary, chart_library
from eoscheck.report.html import write_html
from tests.unit.report import samples

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
]


@pytest.fixture(scope="module")
def charts() -> ChartLibrary:
    library = chart_library()
    assert isinstance(library, ChartLibrary), library
    return library


def test_the_chart_library_comes_by_lock_file_with_its_licence(charts: ChartLibrary) -> None:
    assert "uPlot" in charts.script
    assert "</script" not in charts.script.lower()
    assert "Permission is hereby granted" in charts.license
    assert ".u-" in charts.style


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_the_charts_without_a_complaint(
    charts: ChartLibrary, tmp_path: Path, width: int
) -> None:
    demo = samples.demo()
    page = write_html(demo, path=tmp_path / "report.html", charts=charts)
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            *QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},1200",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    # A script that the policy stops, or that throws, speaks up on the console.
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    assert f'data-charts="{len(demo.runs)}"' in done.stdout
    assert done.stdout.count("<canvas") == 3 * len(demo.runs)
    shown = re.sub(r'<script type="application/json".*?</script>', "", done.stdout, flags=re.S)
    assert html.escape(samples.HOSTILE, quote=False) in shown
    assert samples.HOSTILE not in shown
