"""docs/exactly-once.md names real tests, real files and every bug of the zoo."""

from __future__ import annotations

import re
from pathlib import Path

from reference_app.bugs.zoo import BUGS

ROOT = Path(__file__).parents[3]
RULES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "exactly-once.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]


def named(column: int) -> list[str]:
    return [name for rule in RULES for name in re.findall(r"`([^`]+)`", rule[column])]


def test_every_rule_has_code_a_test_and_a_bug() -> None:
    assert [rule[0] for rule in RULES] == [str(number) for number in range(1, 12)]
    for rule in RULES:
        assert all("`" in cell for cell in rule[2:5]), rule


def test_the_files_of_each_rule_are_there() -> None:
    assert [name for name in named(2) if not (ROOT / "reference_app/streams" / name).exists()] == []


def test_the_tests_of_each_rule_are_there() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert [name for name in named(3) if name not in there] == []


def test_every_bug_of_the_zoo_breaks_one_of_the_rules() -> None:
    assert sorted(named(4)) == sorted(bug.name for bug in BUGS)
