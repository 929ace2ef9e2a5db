"""A fold of the input that the user writes, as a table to compare with."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.state import check_tables
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.findings import Code
from eoscheck.audit.oracles.folding import Folding, load_fold
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.digests import digest_values
from eoscheck.audit.rows.records import Place
from eoscheck.errors import UsageError
from tests.unit.audit.tables import Put, reasons, table

FOLDS = "python:tests.unit.audit.folds:"
Input = tuple[int, int, str | None, dict[str, object] | None]
"""(partition, offset, key, value)"""
INPUT: list[Input] = [
    (0, 0, "a", {"amount": 5}),
    (0, 1, "b", {"amount": 1}),
    (1, 0, "c", {"amount": 2}),
    (0, 4, "a", {"amount": -2}),
]


def folding(
    name: str, records: list[Input], *, due_below: Mapping[int, int] | None = None
) -> Folding:
    found = Folding("in", load_fold(FOLDS + name), due_below=due_below)
    for partition, offset, key, value in records:
        content = None if value is None else msgspec.json.encode(value)
        found.add([partition], [offset], [(key.encode() if key else None, content, [])])
    return found


def folded(name: str, records: list[Input]) -> TableRows:
    found = folding(name, records).table()
    assert isinstance(found, TableRows)
    return found


def check(output: list[Put], found: TableRows | str) -> Checked:
    assert isinstance(found, TableRows)
    return check_tables(table("log", output), [found], limit=10)


def test_records_of_a_key_are_folded_in_the_order_of_their_partition() -> None:
    found = folded("balance", INPUT)
    assert found.value.low.tolist() == digest_values([b"1", b"3", b"2"]).low.tolist()
    right = [Put(0, 0, "a", "5"), Put(0, 1, "b", "1"), Put(0, 2, "a", "3"), Put(1, 0, "c", "2")]
    assert not check(right, found).found


def test_a_wrong_state_is_shown_with_the_last_input_of_its_key() -> None:
    wrong = [Put(0, 0, "a", "5"), Put(0, 1, "b", "1"), Put(1, 0, "c", "2")]
    (found,) = check(wrong, folded("balance", INPUT)).found
    (anomaly,) = found.anomalies
    assert anomaly.place == Place("log", 0, 0)
    assert anomaly.related["other"] == [Place("in", 0, 4)]
    assert anomaly.detail == "fold tests.unit.audit.folds:balance has another value than log"


def test_a_key_without_a_state_is_named_by_the_fold() -> None:
    (found,) = check([Put(0, 1, "b", "1"), Put(1, 0, "c", "2")], folded("balance", INPUT)).found
    (anomaly,) = found.anomalies
    assert anomaly.identity == "a"
    assert anomaly.place == Place("log", 0, -1)


def test_finish_makes_the_value_and_none_is_no_value() -> None:
    empty: Input = (0, 9, "b", {"amount": -1})
    found = folded("total", [*INPUT, empty])
    right = [Put(0, 0, "a", '{"balance":3}'), Put(0, 1, "b", None), Put(1, 0, "c", '{"balance":2}')]
    assert not check(right, found).found


def test_a_state_of_bytes_is_the_value_itself() -> None:
    found = folded("last", INPUT)
    assert not check(
        [Put(0, 0, "a", '{"amount":-2}'), Put(0, 1, "b", '{"amount":1}')],
        found.take(found.partition.argsort()[:2]),
    ).found


def test_found_says_what_of_the_other_side_is_compared() -> None:
    functions = load_fold(f"{FOLDS}read")
    assert functions.found == f"{FOLDS}read_found"
    found = folded("read", INPUT)
    assert found.value.low.tolist() == encode([1, 3, 2])[0].low.tolist()


def test_a_record_may_count_for_several_keys_or_for_none() -> None:
    transfers: list[Input] = [
        (0, 0, None, {"amount": 5, "from": "a", "to": "b"}),
        (0, 1, None, {"amount": 2, "from": "b", "to": "c"}),
        (0, 2, None, {"amount": 9}),
    ]
    found = folded("sides", transfers)
    assert not check([Put(0, 0, "a", "5"), Put(0, 1, "b", "7"), Put(0, 2, "c", "2")], found).found


def test_records_that_are_not_due_are_not_folded_and_their_keys_not_judged() -> None:
    found = folding("balance", INPUT, due_below={0: 4, 1: 1})
    assert not check(
        [Put(0, 0, "a", "5"), Put(0, 1, "b", "1"), Put(1, 0, "c", "2")], found.table()
    ).unknowns
    at_work = found.table(begun_below={0: 5, 1: 1})
    checked = check([Put(0, 0, "a", "77"), Put(0, 1, "b", "1"), Put(1, 0, "c", "2")], at_work)
    assert not checked.found
    assert "1 keys" in reasons(checked)[0]
    unsettled = found.table(settled=False)
    assert "3 keys" in reasons(check([Put(0, 0, "a", "7")], unsettled))[0]


def test_a_key_in_two_input_partitions_is_not_judged_against_an_output() -> None:
    other: Input = (1, 9, "a", {"amount": 5})
    checked = check_tables(
        table("out", [Put(0, 0, "a", "99"), Put(0, 1, "b", "1"), Put(1, 0, "c", "2")]),
        [folded("balance", [*INPUT, other])],
        code=Code.WRONG_RESULT,
        by_partition=False,
        limit=10,
    )
    assert not checked.found
    assert "alive in several partitions" in reasons(checked)[0]


def test_a_record_that_comes_twice_after_a_reconnect_counts_once() -> None:
    found = folding("balance", [*INPUT, *INPUT]).table()
    right = [Put(0, 1, "b", "1"), Put(0, 2, "a", "3"), Put(1, 0, "c", "2")]
    assert not check(right, found).found


def test_a_fold_that_raises_is_named_with_the_record() -> None:
    broken: Input = (0, 9, "a", {"amuont": 1})
    assert folding("balance", [*INPUT, broken, *INPUT]).table() == (
        "fold tests.unit.audit.folds:balance failed at in-0@9: KeyError: 'amount'"
    )
    assert "failed at its end: RuntimeError: no end" in str(folding("late", INPUT).table())


def test_records_without_a_key_make_it_unknown() -> None:
    keyless: Input = (0, 9, None, {"amount": 1})
    assert folding("balance", [*INPUT, keyless]).table() == (
        "1 records of in have no key to fold them by"
    )


def test_an_empty_input_folds_to_nothing() -> None:
    assert len(folded("balance", [])) == 0


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("json:/a", "python:module:function"),
        (f"{FOLDS}balanse", "balance"),
        (f"{FOLDS}bad", "bad_key is no function"),
    ],
)
def test_a_fold_that_cannot_be_is_refused(expression: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_fold(expression)
