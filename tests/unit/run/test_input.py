"""A load's file is looked through before anything is started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.run.input import check_input
from eoscheck.run.scenario import Scenario, build_scenario

KILL = {"kind": "kill", "count": 1, "down": "1s"}


def scenario(path: Path, *, faults: list[dict[str, Any]], **load: Any) -> Scenario:
    document = {
        "name": "x",
        "title": "x",
        "subject": {"command": ["x"]},
        "load": {"topic": "in", "input_file": str(path), **load},
        "timing": {"steady": "1s", "faults": "2s"},
        "faults": faults,
        "audit": {"input": "in", "output": "out", "id": "json:/id"},
    }
    return build_scenario(document, source="test")


@pytest.fixture
def five_rows(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_text("id,at\n" + "".join(f"{n},{n}\n" for n in range(5)))
    return path


def test_a_file_that_ends_before_the_faults_do_is_refused(five_rows: Path) -> None:
    with pytest.raises(UsageError, match=r"lasts 0.4 s .* need 3 s of load: make load.rate"):
        check_input(scenario(five_rows, faults=[KILL], rate=10))
    with pytest.raises(UsageError, match=r"lasts 2 s .* make load.speed"):
        check_input(scenario(five_rows, faults=[KILL], time_column="at", speed=2))


def test_a_file_that_lasts_or_has_no_faults_to_last_for_is_taken(five_rows: Path) -> None:
    check_input(scenario(five_rows, faults=[KILL], rate=1))
    check_input(scenario(five_rows, faults=[KILL], time_column="at"))
    check_input(scenario(five_rows, faults=[], rate=1000))


def test_a_bad_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text('{"id":1}\nnot json\n')
    with pytest.raises(UsageError, match="line 2"):
        check_input(scenario(path, faults=[]))
