"""A part of the tool's own exam, in continuous integration: the whole is docs/power.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eoscheck.cli.certify import command
from eoscheck.errors import UsageError

BUGS = ("window-retention-ignored", "crc32-partitioner")


@pytest.mark.timeout(170)
def test_two_bugs_are_caught_by_their_scenarios(tmp_path: Path) -> None:
    results = tmp_path / "certify.ndjson"
    options = ["--bugs", ",".join(BUGS), "--only", "catalogue", "--results", str(results)]
    done = CliRunner().invoke(command, [*options, "--format", "json"], standalone_mode=False)
    assert done.return_value == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["not_caught"] == []
    codes = {row["bug"]: set(row["codes"]) for row in shown["rows"] if row["caught"]}
    assert codes == {
        "window-retention-ignored": {"RETENTION_BREACH"},
        "crc32-partitioner": {"MISPARTITIONED"},
    }
    lines = results.read_bytes().splitlines()
    told = [json.loads(line) for line in lines]
    assert [each["caught"] for each in told if "caught" in each][-1] is True
    # Each catch was held against the app without its bug.
    assert {each["verdict"] for each in told if each.get("kind") == "control"} == {"pass"}
    # Nothing is done again: what there is is shown.
    again = CliRunner().invoke(command, [*options, "--show"], standalone_mode=False)
    assert again.return_value == 0
    assert "by a scenario or a crash point: 2 of 2" in again.stdout
    assert results.read_bytes().splitlines() == lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bugs", "crc32-partitoner"], "did you mean 'crc32-partitioner'?"),
        (["--write"], "--write is for the exam with --broker alone: leave it out"),
        (["--budget", "2"], "--budget: '2' is not a duration"),
        (["--zoo", "{pyton} -m zoo"], "did you mean 'python'?"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_fix(words: list[str], message: str) -> None:
    error = CliRunner().invoke(command, words, standalone_mode=False).exception
    assert isinstance(error, UsageError), error
    assert message in str(error)
