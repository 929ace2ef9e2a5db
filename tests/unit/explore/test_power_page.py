"""docs/power.md says what docs/power.ndjson holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eoscheck.explore.certify import read_attempts
from eoscheck.explore.certify_plan import Means, read_zoo
from eoscheck.explore.certify_summary import DETERMINISTIC, summarise
from eoscheck.report.power import power_page

ROOT = Path(__file__).parents[3]
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
    attempts = read_attempts(ROOT / "docs" / "power.ndjson")
    summary = summarise(read_zoo(zoo.stdout), attempts, budget_s=BUDGET_S)
    page = (ROOT / "docs" / "power.md").read_text(encoding="utf-8")
    measured = page.partition(START)[2].partition(END)[0]
    assert measured == power_page(summary), "write it anew: see docs/power.md"
    assert summary.not_caught == []
    assert Means.KILLS not in DETERMINISTIC
