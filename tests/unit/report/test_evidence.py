from __future__ import annotations

from typing import Any

import pytest

from eoscheck.report.evidence import inline, label, lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("a · b", "a · b"),
        (None, "none"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ({"at": "t-0@7", "under_way": False}, "at t-0@7 · under way no"),
        ([1, 2], "1, 2"),
        ([], "none"),
        ({"a": [1, 2], "b": {"c": 1, "d": None}}, "a (1, 2) · b (c 1 · d none)"),
    ],
)
def test_evidence_of_any_shape_is_one_line(value: Any, text: str) -> None:
    assert inline(value) == text


def test_a_list_has_a_line_for_each_element() -> None:
    assert lines([{"at": "t-0@7"}, {"at": "t-0@9"}]) == ["at t-0@7", "at t-0@9"]
    assert lines([]) == ["none"]
    assert lines("text") == ["text"]


def test_names_of_fields_are_words() -> None:
    assert label("transactional_id") == "transactional id"
