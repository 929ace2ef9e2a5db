"""Runs the installed command as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

EOSCHECK = Path(sys.executable).parent / "eoscheck"


class Outcome(NamedTuple):
    """`shown` is the JSON object on stdout; None where there was none."""

    exit_code: int
    shown: Any
    stderr: str


Eoscheck = Callable[..., Outcome]
Accepted = Callable[[str, str, str], None]


@pytest.fixture
def eoscheck(tmp_path: Path) -> Eoscheck:
    """Runs `eoscheck WORDS --format json`, reports below a temporary folder; `after` them stands
    what ends options (`-- COMMAND`)."""

    def run(
        *words: object,
        timeout_s: float = 300,
        path: str | None = None,
        after: Sequence[str] = (),
    ) -> Outcome:
        command = [str(EOSCHECK), *map(str, words), "--format", "json"]
        if words[0] in ("run", "demo", "explore", "measure", "scenarios"):
            command += ["--report", str(tmp_path / "reports")]
        command += after
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
def accepted(record_property: Callable[[str, object], None]) -> Accepted:
    """`accepted(what, command, result)`: this test's row in the table of what was shown."""

    def add(what: str, command: str, result: str) -> None:
        record_property("what", what)
        record_property("command", command)
        record_property("result", result)

    return add
