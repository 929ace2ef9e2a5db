"""docs/pytest.md says what there is: its files are the examples, its tables are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck import pytest_plugin
from eoscheck.testing.settings import Settings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["auto_commit_loop.py", "right_loop.py"])
def test_the_loops_of_the_tutorial_are_the_examples(name: str) -> None:
    example = (ROOT / "examples" / "loops" / name).read_text(encoding="utf-8")
    assert f"`{name}`:\n\n```python\n{example}```\n" in PAGE


def test_every_option_and_key_is_told() -> None:
    for name, _ in pytest_plugin._OPTIONS:
        assert f"`--eos-{name}`" in PAGE
    for key in Settings.__struct_fields__:
        assert f"`{key.replace('_', '-')}`" in PAGE


def test_every_fixture_is_told() -> None:
    fixtures = [name for name in vars(pytest_plugin) if name.startswith("eos_")]
    assert len(fixtures) >= 12
    for name in fixtures:
        assert f"| `{name}` |" in PAGE
