"""Record templates."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.load.template import Fields, compile_template

FIELDS = Fields(seq=7, key="acct-00042", amount=125, run_id="r1", time_ms=1_700_000_000_000)


def fill(template: Any) -> Any:
    return compile_template(template, what="load.value")(FIELDS)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{seq}", 7),
        ("{key}", "acct-00042"),
        ("{amount}", 125),
        ("{run_id}", "r1"),
        ("{time_ms}", 1_700_000_000_000),
    ],
)
def test_a_string_that_is_one_placeholder_keeps_the_fields_type(
    template: str, expected: object
) -> None:
    assert fill(template) == expected
    assert type(fill(template)) is type(expected)


def test_mixed_text_is_interpolated() -> None:
    assert fill("{run_id}/{seq} for {key}") == "r1/7 for acct-00042"


def test_tables_and_lists_are_filled_in_depth_and_other_values_kept() -> None:
    template = {"id": "{seq}", "lines": [{"to": "{key}", "n": 1}, True, None, 1.5], "unit": "cent"}
    assert fill(template) == {
        "id": 7,
        "lines": [{"to": "acct-00042", "n": 1}, True, None, 1.5],
        "unit": "cent",
    }


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{seq}}", "{seq}"),
        ("{{seq}} {seq}", "{seq} 7"),
        ('{"seq": 1, "k": "{key}"}', '{"seq": 1, "k": "acct-00042"}'),
        ("{0} {} }{ {seq}", "{0} {} }{ 7"),
    ],
)
def test_escaped_names_and_other_braces_stay_literal(template: str, expected: str) -> None:
    assert fill(template) == expected


def test_an_unknown_placeholder_is_refused_where_it_stands_with_the_nearest_right_one() -> None:
    with pytest.raises(UsageError, match=r"load\.value\.lines\.0\.to: .*\{amuont\}.*'amount'"):
        fill({"lines": [{"to": "{amuont}"}]})
