"""`eoscheck trace`: the steps of a run's folder, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eoscheck.cli.trace import command
from eoscheck.errors import UsageError
from eoscheck.run.trace import TraceWriter
from tests.unit.run.test_trace import exchange


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with TraceWriter(tmp_path, since_start=float) as writer:
        writer(exchange("InitProducerId", sent=1.0))
        writer(exchange("EndTxn(commit)", sent=2.0, instance=1))
        writer(exchange("EndTxn(commit)", sent=3.0))
    return tmp_path


def trace(*words: object) -> Result:
    return CliRunner().invoke(
        command, [str(word) for word in words], standalone_mode=False, catch_exceptions=False
    )


def test_plain_lines_where_nobody_looks(folder: Path) -> None:
    lines = trace(folder, "--instance", 0, "--from", "1500ms").output.splitlines()
    assert lines == ["instance 0", "    3.000  broker 1  EndTxn(commit)                   1.0 ms"]


def test_one_json_object_with_what_is_learned(folder: Path) -> None:
    shown = json.loads(trace(folder, "--format", "json", "--to", "2s").output)
    assert [each["sent"] for each in shown["exchanges"]] == [1.0, 2.0]
    assert shown["learned"] == {"InitProducerId": 1, "EndTxn(commit)": 1}


def test_times_beside_around_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="leave out --from and --to"):
        trace(folder, "--around", "kill-1", "--to", "2s")
