"""The auditor's benchmark measures what it says: its topics are real, and wrong answers fail it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from benchmarks.audit_contenders import Contender, Taken, Work, check
from benchmarks.audit_dense import batch_of, uuids_of
from benchmarks.audit_document import write_document
from benchmarks.audit_sections import Rounds
from benchmarks.audit_sizes import FULL, forecast_s
from benchmarks.audit_topics import Filled
from benchmarks.figures import Section
from eoscheck.errors import InfrastructureError
from eoscheck.logformat import checks_crc, read_batches, read_records


@pytest.mark.parametrize("rows", [1, 64, 65, 8_000])
def test_a_ready_made_batch_is_what_a_producer_would_have_sent(rows: int) -> None:
    keys = uuids_of(np.arange(rows))
    data = batch_of(keys)
    batches = read_batches(data)
    assert checks_crc()
    assert batches.intact.tolist() == [True]
    records = read_records(data, batches, 0)
    assert records is not None
    assert [each.offset for each in records] == list(range(rows))
    assert [each.key for each in records] == [bytes(key) for key in keys]
    assert {each.value for each in records} == {b""}


def test_different_numbers_make_different_uuids() -> None:
    keys = {bytes(key).decode() for key in uuids_of(np.arange(10**8, 10**8 + 50_000))}
    assert len(keys) == 50_000
    assert all(str(UUID(key)) == key for key in keys)


_WORK = Work(filled=Filled(topic="t", committed=11, aborted=3, duplicates=[4, 8], gaps=[6]))
_RIGHT: dict[str, Any] = {
    "records": 11,
    "duplicates": 2,
    "gaps": 1,
    "duplicates_named": [8, 4],
    "gaps_named": [6],
    "others": [],
    "unknowns": [],
}


def test_exactly_what_was_planted_is_right() -> None:
    check(Contender.AUDIT, _WORK, _RIGHT)
    check(Contender.JAVA, _WORK, {"records": 11})
    check(Contender.FLOOR, _WORK, {"records": 14})


@pytest.mark.parametrize(
    "wrong",
    [
        {"records": 10},
        {"duplicates": 1, "duplicates_named": [4]},
        {"duplicates_named": [4, 5]},
        {"duplicates_named": [4]},
        {"gaps": 0, "gaps_named": []},
        {"gaps_named": [7]},
        {"others": ["TORN_TRANSACTION"]},
        {"unknowns": ["GAP: who knows"]},
    ],
)
def test_anything_else_fails_the_run(wrong: dict[str, Any]) -> None:
    with pytest.raises(InfrastructureError, match=str(Contender.AUDIT)):
        check(Contender.AUDIT, _WORK, _RIGHT | wrong)


def test_an_audit_that_shows_some_findings_must_show_planted_ones() -> None:
    some = {"all_named": False, "duplicates_named": [4], "gaps_named": []}
    check(Contender.COMMAND, _WORK, _RIGHT | some)
    with pytest.raises(InfrastructureError):
        check(Contender.COMMAND, _WORK, _RIGHT | some | {"duplicates_named": [5]})


def test_readings_of_one_round_are_held_against_each_other(tmp_path: Path) -> None:
    rounds = Rounds(
        taken={
            Contender.AUDIT: [_taken(Contender.AUDIT, each) for each in (2.0, 4.0)],
            Contender.FLOOR: [_taken(Contender.FLOOR, each) for each in (1.0, 2.0)],
        }
    )
    row = rounds.compare(Contender.AUDIT, Contender.FLOOR, "wall_s", at_most=1.5)
    assert row.ratio is not None
    assert row.ratio.value == pytest.approx(2.0)
    assert row.verdict == "missed by 33%"
    section = Section(
        name="speed", method="By hand.", rows=[row], raw={"medians": rounds.medians()}
    )
    text = write_document([section], {"date": "today"}, tmp_path / "speed.md").read_text()
    assert "| audit / floor, wall |" in text
    assert "| audit | 2 | 3.00 (3.00) |" in text


def test_the_whole_benchmark_takes_about_a_quarter_of_an_hour() -> None:
    sections = ("speed", "formats", "memory", "growth")
    assert sum(forecast_s(FULL, name) for name in sections) < 15 * 60


def _taken(contender: Contender, seconds: float) -> Taken:
    return Taken(
        contender=contender,
        wall_s=seconds,
        cpu_s=seconds,
        whole_wall_s=seconds,
        whole_cpu_s=seconds,
        rss_mb=100.0,
        answer={"records": 10},
    )
