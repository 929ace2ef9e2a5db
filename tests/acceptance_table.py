"""Keeps what `make accept` showed as a table in docs/acceptance.md."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

TABLE = Path(__file__).parents[1] / "docs" / "acceptance.md"
_ROWS = pytest.StashKey[list[tuple[str, str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []
    config.pluginmanager.register(_Collector(config.stash[_ROWS]), "acceptance-table")


class _Collector:
    """One row for each acceptance test: its own words where it gives some (`record_property`)."""

    def __init__(self, rows: list[tuple[str, str, str]]) -> None:
        self._rows = rows

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ran = report.when == "call" or (report.when == "setup" and report.skipped)
        if not ran or "accept" not in report.keywords:
            return
        told = {name: str(value) for name, value in report.user_properties}
        function = report.nodeid.rpartition("::")[2].partition("[")[0]
        what = told.get("what") or function.removeprefix("test_").replace("_", " ").capitalize()
        command = told.get("command") or f"pytest -m accept '{report.nodeid}'"
        outcome = "skipped: " + _reason(report) if report.skipped else report.outcome
        self._rows.append((what, command, told.get("result") or outcome))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The table is written by a whole, green `make accept`, and by nothing less."""
    options = session.config.option
    whole = (
        not hasattr(session.config, "workerinput")  # xdist's workers tell the one that writes
        and options.markexpr == "accept"
        and not options.keyword
        and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    )
    rows = session.config.stash[_ROWS]
    if whole and exitstatus == 0 and rows:
        TABLE.write_text("\n".join(_lines(rows)), encoding="utf-8")


def _reason(report: pytest.TestReport) -> str:
    place = report.longrepr
    return str(place[2]).removeprefix("Skipped: ") if isinstance(place, tuple) else ""


def _commit() -> str:
    """What was tested; a checkout without git tests what it holds."""
    git = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(git, cwd=TABLE.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _lines(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    memory = psutil.virtual_memory().total / 2**30
    return [
        "# Acceptance results",
        "",
        "What must be shown, as the last whole `make accept` showed it (it writes this file).",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}",
        f"- Commit: {_commit()}",
        "- Command: `make accept`",
        "",
        "| What | Command | Result |",
        "|---|---|---|",
        *(f"| {what} | `{command}` | {result} |" for what, command, result in sorted(rows)),
        "",
    ]
