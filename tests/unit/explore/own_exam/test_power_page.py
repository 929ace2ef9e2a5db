"""docs/power.md says what docs/power.ndjson holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eoscheck.explore.own_exam.plan import Means, read_zoo
from eoscheck.explore.own_exam.results import read_results
from eoscheck.explore.own_exam.summary import DETERMINISTIC, summarise
from eoscheck.report.power import power_page

ROOT = Path(__file__).parents[4]
BUDGET_S = 120.0
START, END = "<!-- measured -->\n", "<!-- /measured -->"


def test_the_page_is_that_of_the_attempts_and_every_bug_is_caught_for_certain() -> None:
    zoo = subprocess.run(
        [sys.executable, "-m", "reference_app.bugs", "--json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    results = read_results(ROOT / "docs" / "power.ndjson")
    summary = summarise(read_zoo(zoo.stdout), results, budget_s=BUDGET_S)
    page = (ROOT / "docs" / "power.md").read_text(encoding="utf-8")
    measured = page.partition(START)[2].partition(END)[0]
    assert measured == power_page(summary), "write it anew: see docs/power.md"
    assert summary.not_caught == []
    assert Means.KILLS not in DETERMINISTIC
