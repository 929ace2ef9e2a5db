"""Amounts that sum to zero, and numbers that rise for each key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eoscheck.audit.checks.invariants import (
    GroupedRows,
    ZeroSum,
    check_monotonic,
    check_zero_by_group,
    exact_sum,
)
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.records import Place
from tests.unit.audit.tables import reasons

Row = tuple[int, int, str, str | None, int | None]
"""(partition, offset, identity, group, number)"""


def rows(*found: Row) -> GroupedRows:
    ordered = sorted(found, key=lambda row: row[:2])
    return GroupedRows(
        topic="out",
        partition=np.array([row[0] for row in ordered], dtype=np.int64),
        offset=np.array([row[1] for row in ordered], dtype=np.int64),
        identity=encode([row[2] for row in ordered])[0],
        group=encode([row[3] for row in ordered])[0],
        number=numbers([row[4] for row in ordered]),
    )


def numbers(values: Sequence[int | None]) -> Numbers:
    return Numbers(
        np.array([value or 0 for value in values], dtype=np.int64),
        np.array([value is not None for value in values], dtype=np.bool_),
    )


def only(checked: Checked) -> Anomaly:
    assert not checked.unknowns
    (found,) = checked.found
    assert found.code is Code.WRONG_RESULT
    assert found.total == len(found.anomalies) == 1
    return found.anomalies[0]


def summed(**partitions: list[int | None]) -> ZeroSum:
    """Two blocks of each partition."""
    zero = ZeroSum(topic="ledger")
    for name, values in partitions.items():
        zero.add(int(name[1:]), numbers(values[:2]))
        zero.add(int(name[1:]), numbers(values[2:]))
    return zero


def test_amounts_that_sum_to_zero_over_all_partitions_are_right() -> None:
    checked = summed(p0=[5, -2, -9], p1=[6]).check()
    assert not checked.found
    assert checked.counts == {"summed_records": 4}


def test_a_sum_that_is_not_zero_comes_with_those_of_the_partitions() -> None:
    found = only(summed(p0=[5, -2, -9], p1=[7]).check())
    assert found.place == Place("ledger", -1, -1)
    assert found.detail == "the amounts of 4 records sum to 1, not 0"
    assert found.facts == {"sum": 1, "records": 4, "sums": {"0": -6, "1": 7}}


def test_sums_beyond_64_bits_are_exact() -> None:
    values = [2**63 - 1, 2**63 - 1, -(2**63), -(2**63), 1, 2]
    assert exact_sum(np.array(values, dtype=np.int64)) == sum(values)
    assert not summed(p0=[2**63 - 1, 1], p1=[-(2**63)]).check().found
    assert only(summed(p0=[2**63 - 1, 2**63 - 1]).check()).facts["sum"] == 2**64 - 2


def test_records_without_an_amount_make_the_sum_unknown() -> None:
    checked = summed(p0=[5, None, -5]).check()
    assert not checked.found
    assert "1 records of ledger have no amount" in reasons(checked)[0]


def test_a_topic_that_is_not_complete_makes_the_sum_unknown() -> None:
    checked = summed(p0=[5]).check(gaps=["records below 3 were removed"])
    assert not checked.found
    (reason,) = reasons(checked)
    assert reason == (
        "the amounts sum to 5, but ledger is not complete: records below 3 were removed"
    )


def test_an_empty_topic_is_in_balance() -> None:
    assert not ZeroSum(topic="ledger").check().found


def test_the_groups_that_are_out_of_balance_are_shown() -> None:
    ledger = rows(
        (0, 0, "1d", "1", 5), (1, 0, "1c", "1", -5), (0, 1, "2d", "2", 7), (1, 1, "3c", "3", -7)
    )
    (found,) = check_zero_by_group(ledger, limit=10).found
    assert found.total == 2
    assert [(each.place.partition, each.facts["sum"]) for each in found.anomalies] == [
        (0, 7),
        (1, -7),
    ]
    assert found.anomalies[0].detail == "1 records that belong together sum to 7, not 0"
    assert not check_zero_by_group(rows(), limit=10).found


def test_groups_of_an_incomplete_topic_are_not_judged() -> None:
    checked = check_zero_by_group(rows((0, 0, "1", "1", 5)), gaps=["a hole"], limit=10)
    assert not checked.found
    assert "1 groups" in reasons(checked)[0]


def test_numbers_that_rise_within_key_and_partition_are_right() -> None:
    checked = check_monotonic(
        rows(
            (0, 0, "1", "a", 5),
            (0, 1, "2", "b", 1),
            (0, 2, "3", "a", 6),
            (1, 0, "4", "a", 1),
            (1, 1, "5", "b", -3),
            (1, 9, "6", "b", 4),
        ),
        limit=10,
    )
    assert not checked.found
    assert checked.counts == {"judged_steps": 2}


def test_a_number_that_falls_comes_with_both_places() -> None:
    found = only(
        check_monotonic(
            rows((0, 0, "1", "a", 5), (0, 1, "2", "b", 9), (0, 7, "3", "a", 4)), limit=10
        )
    )
    assert found.place == Place("out", 0, 7)
    assert found.offsets == [0, 7]
    assert found.related == {"before": [Place("out", 0, 0)], "copies": [Place("out", 0, 7)]}
    assert found.detail == "4 comes after 5 of the same key, and must be above it"


def test_a_number_that_stays_is_wrong_too() -> None:
    only(check_monotonic(rows((0, 0, "1", "a", 5), (0, 1, "2", "a", 5)), limit=10))


def test_a_second_copy_of_an_identity_is_no_fall() -> None:
    copies = rows(
        (0, 0, "1", "a", 5), (0, 1, "2", "a", 6), (0, 2, "1", "a", 5), (0, 3, "3", "a", 7)
    )
    assert not check_monotonic(copies, limit=10).found


def test_records_without_a_key_or_number_are_left_out() -> None:
    left_out = rows((0, 0, "1", "a", 5), (0, 1, "2", None, 1), (0, 2, "3", "a", None))
    assert not check_monotonic(left_out, limit=10).found


def test_all_falls_are_counted_and_the_first_are_kept() -> None:
    falling = rows(*((0, number, str(number), "a", -number) for number in range(31)))
    (found,) = check_monotonic(falling, limit=10).found
    assert found.total == 30
    assert [each.place.offset for each in found.anomalies] == list(range(1, 11))


def test_random_numbers_agree_with_a_loop() -> None:
    random = np.random.default_rng(3)
    for _round in range(60):
        found: list[Row] = [
            (
                int(random.integers(2)),
                offset,
                str(random.integers(12)),
                "ab"[random.integers(2)],
                int(random.integers(5)),
            )
            for offset in range(int(random.integers(0, 25)))
        ]
        last: dict[tuple[int, str | None], int] = {}
        seen, falls = set(), set()
        for partition, offset, identity, key, number in sorted(found):
            assert number is not None
            if (partition, key, identity) in seen:
                continue
            seen.add((partition, key, identity))
            if number <= last.get((partition, key), -1):
                falls.add((partition, offset))
            last[partition, key] = number
        checked = check_monotonic(rows(*found), limit=100)
        anomalies = checked.found[0].anomalies if checked.found else []
        assert {(each.place.partition, each.place.offset) for each in anomalies} == falls
