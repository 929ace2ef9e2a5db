"""Keeps what `make accept` showed as a table in docs/acceptance.md."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest

DOCS = Path(__file__).parents[1] / "docs"
TABLE, ROWS = DOCS / "acceptance.md", DOCS / "acceptance.json"
_SEEN = pytest.StashKey[dict[str, "Row"]]()


class Row(msgspec.Struct, frozen=True):
    """What one acceptance test showed the last time that it ran, and on which commit."""

    what: str
    command: str
    result: str
    passed: bool
    commit: str
    date: str


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SEEN] = {}
    config.pluginmanager.register(_Collector(config.stash[_SEEN]), "acceptance-table")


class _Collector:
    """One row for each acceptance test: its own words where it gives some (`record_property`)."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self._rows = rows
        self._commit = _commit()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ran = report.when == "call" or (report.when == "setup" and not report.passed)
        if not ran or "accept" not in report.keywords:
            return
        told = {name: str(value) for name, value in report.user_properties}
        function = report.nodeid.rpartition("::")[2].partition("[")[0]
        outcome = "skipped: " + _reason(report) if report.skipped else report.outcome
        self._rows[report.nodeid] = Row(
            what=told.get("what") or function.removeprefix("test_").replace("_", " ").capitalize(),
            command=told.get("command") or f"pytest -m accept '{report.nodeid}'",
            result=told.get("result") or outcome if report.passed else outcome,
            passed=not report.failed,
            commit=self._commit,
            date=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run of acceptance tests, whole or not, writes the rows of those that it ran.

    Red ones too: a row stays red until its test was green. A whole run also forgets the rows of
    tests that are no more.
    """
    options = session.config.option
    rows = session.config.stash[_SEEN]
    if hasattr(session.config, "workerinput") or options.markexpr != "accept" or not rows:
        return  # xdist's workers tell the one that writes
    whole = (
        not options.keyword
        and not getattr(options, "lf", False)
        and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    )
    before = {} if whole or not ROWS.exists() else _read()
    now = dict(sorted((before | rows).items()))
    ROWS.write_bytes(msgspec.json.format(msgspec.json.encode(now), indent=1) + b"\n")
    TABLE.write_text("\n".join(_lines(list(now.values()))), encoding="utf-8")


def _read() -> dict[str, Row]:
    return msgspec.json.decode(ROWS.read_bytes(), type=dict[str, Row])


def _reason(report: pytest.TestReport) -> str:
    place = report.longrepr
    return str(place[2]).removeprefix("Skipped: ") if isinstance(place, tuple) else ""


def _commit() -> str:
    """What was tested; a checkout without git tests what it holds."""
    git = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(git, cwd=TABLE.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _lines(rows: Sequence[Row]) -> list[str]:
    memory = psutil.virtual_memory().total / 2**30
    green = sum(row.passed for row in rows)
    return [
        "# Acceptance results",
        "",
        "What must be shown, as `make accept` last showed it: it writes this file. Each row is the",
        "last run of its test and names its commit; a red one stays red until it was green.",
        "",
        f"- {green} of {len(rows)} green",
        f"- Machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}",
        "- Command: `make accept`, or one row's own",
        "",
        "| What | Command | Result | Commit | Date (UTC) |",
        "|---|---|---|---|---|",
        *(
            f"| {row.what} | `{row.command}` | {row.result} | {row.commit} | {row.date} |"
            for row in sorted(rows, key=lambda row: (row.what, row.command))
        ),
        "",
    ]
