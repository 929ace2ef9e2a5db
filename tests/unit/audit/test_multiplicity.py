"""How many outputs each input has, by number, range, function and filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from eoscheck.audit.identity import parse
from eoscheck.audit.multiplicity import MOST, Bounds, expected, parse_multiplicity
from eoscheck.audit.rows.columns import encode
from eoscheck.errors import UsageError

FUNCTIONS = """
import json

def lines(key, value, headers):
    return len(json.loads(value)["lines"])

def some(key, value, headers):
    return 0, len(json.loads(value)["lines"])

def odd(key, value, headers):
    return {b"float": 1.0, b"bool": True, b"minus": -1, b"wrong": (2, 1), b"three": (1, 2, 3),
            b"huge": 2**40, b"text": "1", b"fine": 3}[value]

def paid(key, value, headers):
    return ("paid", b"yes") in (headers or ())

def broken(key, value, headers):
    raise RuntimeError("no")
"""


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "outputs_of_inputs.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "python:outputs_of_inputs:"


def order(kind: str | int, *lines: int) -> Any:
    return b"k", msgspec.json.encode({"kind": kind, "lines": list(lines)}), None


def pairs(bounds: Bounds) -> list[tuple[int, int]]:
    return list(zip(bounds.least.tolist(), bounds.most.tolist(), strict=True))


@pytest.mark.parametrize(("text", "bounds"), [("1", (1, 1)), ("2", (2, 2)), ("0..3", (0, 3))])
def test_a_number_or_a_range_is_the_same_for_every_input(
    text: str, bounds: tuple[int, int]
) -> None:
    multiplicity = parse_multiplicity(text)
    assert multiplicity.constant
    assert not multiplicity.needs
    assert pairs(multiplicity.of_any(2)) == [bounds] * 2
    assert pairs(multiplicity.of_records([order("a")])) == [bounds]


def test_a_function_counts_for_each_input(functions: str) -> None:
    orders = [order("a", 1, 2), order("a"), order("a", 7)]
    assert pairs(parse_multiplicity(functions + "lines").of_records(orders)) == [
        (2, 2),
        (0, 0),
        (1, 1),
    ]
    assert pairs(parse_multiplicity(functions + "some").of_records(orders)) == [
        (0, 2),
        (0, 0),
        (0, 1),
    ]


def test_what_a_function_raises_for_or_that_is_no_count_may_be_any_number(functions: str) -> None:
    values = [
        b"fine",
        b"float",
        b"bool",
        b"minus",
        b"wrong",
        b"three",
        b"huge",
        b"text",
        b"unknown",
    ]
    bounds = parse_multiplicity(functions + "odd").of_records([(None, v, None) for v in values])
    assert pairs(bounds) == [(3, 3)] + [(0, MOST)] * 8
    assert bounds.judged is not None
    assert bounds.judged.tolist() == [True] + [False] * 8
    broken = parse_multiplicity("1", functions + "broken").of_records([order("a")])
    assert pairs(broken) == [(0, MOST)]


def test_an_input_that_does_not_pass_the_filter_has_no_output(functions: str) -> None:
    inputs = [order("order", 1, 2), order("refund", 1), order(17), (None, b"{", None)]
    by_kind = parse_multiplicity("2", "json:/kind=order")
    assert pairs(by_kind.of_records(inputs)) == [(2, 2), (0, 0), (0, 0), (0, 0)]
    counted = parse_multiplicity(functions + "lines", "json:/kind=order")
    assert pairs(counted.of_records(inputs)) == [(2, 2), (0, 0), (0, 0), (0, 0)]
    paid = parse_multiplicity("1", functions + "paid")
    headers = [("paid", b"yes")]
    assert pairs(paid.of_records([(None, None, headers), order("order")])) == [(1, 1), (0, 0)]


@pytest.mark.parametrize(
    ("condition", "passing"),
    [
        ("json:/kind=order", [True, False, False, False]),
        ("json:/kind=17", [False, True, False, False]),
        ("json:/kind=017", [False, False, True, False]),
        ("json:/kind=", [False] * 4),
        ("json:/kind+key=order+k", [True, False, False, False]),
        ("key=k", [True, True, True, False]),
    ],
)
def test_a_column_of_identities_filters_as_the_records_do(
    condition: str, passing: list[bool]
) -> None:
    inputs = [order("order"), order(17), order("017"), (None, b"{", None)]
    multiplicity = parse_multiplicity("0..2", condition)
    assert multiplicity.columnar
    assert multiplicity.filter_by is not None
    identify = parse(multiplicity.filter_by[0])
    column, _known = encode([identify(*content) for content in inputs])
    assert pairs(multiplicity.of_column(column)) == pairs(multiplicity.of_records(inputs))
    assert [most > 0 for _least, most in pairs(multiplicity.of_column(column))] == passing


def test_a_number_too_long_for_64_bits_filters_alike_as_text_and_as_a_number() -> None:
    number = 123456789012345678901234567890
    multiplicity = parse_multiplicity("1", f"json:/kind={number}")
    inputs = [order(number), order(str(number)), order(5)]
    column, _known = encode([parse("json:/kind")(*content) for content in inputs])
    assert pairs(multiplicity.of_records(inputs)) == [(1, 1), (1, 1), (0, 0)]
    assert pairs(multiplicity.of_column(column)) == [(1, 1), (1, 1), (0, 0)]


def test_copies_of_one_identity_add_up() -> None:
    bounds = Bounds(np.array([1, 0, 2, 0], np.int32), np.array([1, 3, 2, MOST], np.int32))
    code = np.array([0, 1, 0, 1])
    sums = expected(code, 3, bounds)
    assert sums.least.tolist() == [3, 0, 0]
    assert sums.most.tolist() == [3, 3 + MOST, 0]
    due = expected(code, 3, bounds, np.array([True, True, False, False]))
    assert due.least.tolist() == [1, 0, 0]
    assert due.most.tolist() == [1, 3, 0]


def test_what_a_filter_needs_is_read_and_no_more(functions: str) -> None:
    assert parse_multiplicity("1", "header:kind=order").needs == {"headers"}
    assert parse_multiplicity("1", functions + "paid").needs == {"key", "value", "headers"}


@pytest.mark.parametrize(
    ("per_input", "input_filter", "words"),
    [
        ("", None, "1, 2, a range such as 0..3"),
        ("-1", None, "1, 2, a range such as 0..3"),
        ("1.5", None, "1, 2, a range such as 0..3"),
        ("1..", None, "1, 2, a range such as 0..3"),
        ("3..1", None, "did you mean '1..3'"),
        ("python:json", None, "python:module:function"),
        ("python:json:lods", None, "did you mean 'loads'"),
        ("1", "json:/kind", "EXPR=VALUE"),
        ("1", "json:/kind!=order", "EXPR=VALUE, such as json:/kind=order, or python:"),
        ("1", "=order", "EXPR=VALUE"),
        ("1", "jsn:/kind=order", "did you mean 'json:/kind'"),
        ("1", "python:no_such_module_here:f", "cannot import"),
    ],
)
def test_a_bad_number_or_condition_is_refused_with_the_right_form(
    per_input: str, input_filter: str | None, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        parse_multiplicity(per_input, input_filter)
    assert words in str(refused.value)
