"""Runs the installed command as a user does, and keeps what was shown as a table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

TABLE = Path(__file__).parents[2] / "docs" / "acceptance.md"
EOSCHECK = Path(sys.executable).parent / "eoscheck"
_ROWS = pytest.StashKey[list[tuple[str, str, str]]]()


class Outcome(NamedTuple):
    """`shown` is the JSON object on stdout; None where there was none."""

    exit_code: int
    shown: Any
    stderr: str


Eoscheck = Callable[..., Outcome]
Accepted = Callable[[str, str, str], None]


@pytest.fixture
def eoscheck(tmp_path: Path) -> Eoscheck:
    """Runs `eoscheck WORDS --format json`, reports below a temporary folder."""

    def run(*words: object, timeout_s: float = 300, path: str | None = None) -> Outcome:
        command = [str(EOSCHECK), *map(str, words), "--format", "json"]
        if words[0] in ("run", "demo"):
            command += ["--report", str(tmp_path / "reports")]
        env = os.environ if path is None else {**os.environ, "PATH": path}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=env,
            cwd=tmp_path,
            check=False,
        )
        shown = json.loads(done.stdout) if done.stdout.strip() else None
        return Outcome(done.returncode, shown, done.stderr)

    return run


@pytest.fixture
def accepted(request: pytest.FixtureRequest) -> Accepted:
    """`accepted(what, command, result)` adds a row to the table of what was shown."""

    def add(what: str, command: str, result: str) -> None:
        request.config.stash.setdefault(_ROWS, []).append((what, command, result))

    return add


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The table is written by a whole, green `make accept`, and by nothing less."""
    rows = session.config.stash.get(_ROWS, [])
    if not rows or exitstatus != 0 or session.config.option.markexpr != "accept":
        return
    memory = psutil.virtual_memory().total / 2**30
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
    lines = [
        "# Acceptance results",
        "",
        "What must be shown, as the last whole `make accept` showed it (it writes this file).",
        "",
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Machine: {machine}",
        "- Command: `make accept`",
        "",
        "| What | Command | Result |",
        "|---|---|---|",
        *(f"| {what} | `{command}` | {result} |" for what, command, result in sorted(rows)),
        "",
    ]
    TABLE.write_text("\n".join(lines), encoding="utf-8")
