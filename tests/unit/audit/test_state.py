"""A changelog, a store's dump and a fold of the input: which one differs, and for which keys."""

from __future__ import annotations

import numpy as np
import pytest

from eoscheck.audit.checks.outcome import Anomaly, Cause, Checked
from eoscheck.audit.checks.state import Suspects, check_tables
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.records import Place
from tests.unit.audit.tables import Put, dump, reasons, table

LOG = "app-store-changelog"
CHANGELOG = [Put(0, 0, "a", "1"), Put(0, 1, "b", "1"), Put(0, 2, "a", "2"), Put(1, 0, "c", "5")]


def check(rows: list[Put], *others: object, **more: object) -> Checked:
    return check_tables(table(LOG, rows), others, limit=10, **more)  # type: ignore[arg-type]


def anomalies(checked: Checked) -> list[Anomaly]:
    assert not checked.unknowns
    return [anomaly for found in checked.found for anomaly in found.anomalies]


def only(checked: Checked) -> Anomaly:
    (found,) = anomalies(checked)
    return found


def unknown(checked: Checked) -> str:
    assert not [found for found in checked.found if found.total]
    (reason,) = reasons(checked)
    return reason


def test_the_last_value_of_each_key_is_compared() -> None:
    same = [Put(0, 7, "a", "2"), Put(0, 9, "b", "1"), Put(1, 1, "c", "5")]
    checked = check(CHANGELOG, table("other", same))
    assert not checked.found
    assert not checked.unknowns
    assert checked.counts == {"judged_keys": 3}


def test_another_value_is_placed_at_the_changelogs_last_record_of_the_key() -> None:
    other = [Put(0, 7, "a", "1"), Put(0, 9, "b", "1"), Put(1, 1, "c", "5")]
    checked = check(CHANGELOG, table("other", other))
    found = only(checked)
    assert checked.found[0].code is Code.STATE_DIVERGED
    assert checked.found[0].total == 1
    assert found.place == Place(LOG, 0, 2)
    assert found.offsets == [2]
    assert found.related == {"copies": [Place(LOG, 0, 2)], "other": [Place("other", 0, 7)]}
    assert found.detail == f"other has another value than {LOG}"


def test_a_key_of_the_second_changelog_alone_is_named_by_its_record_there() -> None:
    found = only(check(CHANGELOG, table("other", [*CHANGELOG, Put(1, 3, "d", "1")])))
    assert found.place == Place(LOG, 1, -1)
    assert found.offsets == []
    assert found.key_of == Place("other", 1, 3)
    assert found.detail == f"other has a value, {LOG} has none"


def test_a_key_of_a_dump_alone_is_named_by_the_dump() -> None:
    stored = [Put(0, 0, "a", "2"), Put(0, 9, "b", "1"), Put(1, 1, "c", "5"), Put(0, 11, "x", "1")]
    found = only(check(CHANGELOG, dump(stored, below={0: 3, 1: 1})))
    assert found.identity == "x"
    assert found.place == Place(LOG, 0, -1)


def test_a_key_that_a_dump_lacks_is_found() -> None:
    found = only(check(CHANGELOG, dump([Put(-1, 0, "a", "2"), Put(-1, 9, "c", "5")])))
    assert found.place == Place(LOG, 0, 1)
    assert found.detail == f"dump has no value, {LOG} has one"


def test_a_tombstone_deletes_and_is_the_same_as_a_key_that_never_was() -> None:
    deleted = [*CHANGELOG, Put(0, 3, "b", None)]
    assert not check(deleted, dump([Put(-1, 0, "a", "2"), Put(-1, 1, "c", "5")])).found
    found = only(check(deleted, table("other", CHANGELOG)))
    assert found.place == Place(LOG, 0, 3)
    assert found.detail == f"other has a value, {LOG} has none"


def test_a_value_after_a_tombstone_counts() -> None:
    reborn = [Put(0, 0, "a", "1"), Put(0, 1, "a", None), Put(0, 2, "a", "3")]
    assert not check(reborn, table("other", [Put(0, 0, "a", "3")])).found


@pytest.mark.parametrize(
    ("stored", "folded", "detail"),
    [
        ("9", "2", f"dump has another value than {LOG}; fold agrees with {LOG}"),
        ("2", "9", f"fold has another value than {LOG}; dump agrees with {LOG}"),
        (
            "9",
            "9",
            f"dump has another value than {LOG}; fold has another value than {LOG}; "
            "dump and fold agree with each other",
        ),
        (
            "8",
            "9",
            f"dump has another value than {LOG}; fold has another value than {LOG}; "
            "no two of them agree",
        ),
    ],
)
def test_of_three_it_is_told_which_one_differs(stored: str, folded: str, detail: str) -> None:
    rest = CHANGELOG[1:2] + CHANGELOG[3:]
    checked = check(
        CHANGELOG,
        dump([Put(0, 0, "a", stored), *rest], below={0: 3, 1: 1}),
        table("fold", [Put(0, 0, "a", folded), *rest]),
    )
    assert only(checked).detail == detail


def test_a_key_in_the_wrong_partition_is_missing_in_one_and_too_much_in_the_other() -> None:
    moved = [*CHANGELOG[:3], Put(2, 0, "c", "5")]
    found = anomalies(check(moved, table("fold", CHANGELOG)))
    assert {(each.place.partition, each.detail) for each in found} == {
        (2, f"fold has no value, {LOG} has one"),
        (1, f"fold has a value, {LOG} has none"),
    }


def test_the_same_key_in_two_partitions_is_two_entries_where_partitions_are_known() -> None:
    both = [*CHANGELOG, Put(1, 1, "a", "7")]
    assert not check(both, table("other", both)).found


def test_a_key_that_is_alive_in_two_partitions_is_not_judged_without_partitions() -> None:
    both = [*CHANGELOG, Put(1, 1, "a", "7")]
    stored = dump([Put(-1, 0, "a", "9"), Put(-1, 1, "b", "1"), Put(-1, 2, "c", "5")])
    assert "1 keys" in unknown(check(both, stored))
    assert "alive in several partitions" in unknown(check(both, stored))


@pytest.mark.parametrize(("alive", "value"), [(0, "2"), (1, "7")])
def test_a_key_that_was_deleted_in_one_partition_counts_where_it_is_alive(
    alive: int, value: str
) -> None:
    moved = [*CHANGELOG, Put(1, 1, "a", "7"), Put(1 - alive, 3, "a", None)]
    stored = [Put(-1, 0, "a", value), Put(-1, 1, "b", "1"), Put(-1, 2, "c", "5")]
    assert not check(moved, dump(stored)).found
    assert not check(moved, dump(stored)).unknowns


def test_a_dump_is_held_against_the_changelog_as_of_the_dumps_offset() -> None:
    stored = dump([Put(0, 0, "a", "1"), Put(0, 1, "b", "1")], below={0: 2, 1: 0})
    checked = check(CHANGELOG, stored, compacted=False)
    assert not checked.found
    assert not checked.unknowns
    late = dump([Put(0, 0, "a", "2"), Put(0, 1, "b", "1")], below={0: 2, 1: 0})
    assert only(check(CHANGELOG, late, compacted=False)).place == Place(LOG, 0, 0)


def test_a_key_whose_earlier_value_was_compacted_away_is_not_judged() -> None:
    compacted = CHANGELOG[1:]
    stored = dump([Put(0, 0, "a", "1"), Put(0, 1, "b", "1")], below={0: 2, 1: 0})
    assert "were written since" in unknown(check(compacted, stored))


def test_partitions_that_a_partial_dump_does_not_hold_are_not_compared() -> None:
    stored = dump([Put(1, 0, "c", "5")], below={1: 1})
    checked = check(CHANGELOG, stored)
    assert not checked.found
    assert not checked.unknowns
    assert checked.counts == {"judged_keys": 1}


def test_keys_that_were_at_work_are_not_judged() -> None:
    at_work = np.array([True, False, False])
    folded = table(
        "fold", [Put(0, 5, "a", "9"), Put(0, 6, "b", "1"), Put(1, 0, "c", "5")], open=at_work
    )
    assert "at work" in unknown(check(CHANGELOG, folded))


def test_a_table_that_is_not_complete_makes_it_unknown() -> None:
    checked = check(CHANGELOG, table("other", [], gaps=["records below 5 were removed"]))
    assert unknown(checked) == "other is not complete: records below 5 were removed"


def test_keys_with_reprocessed_inputs_say_so() -> None:
    suspects = Suspects(reprocessed=encode(["a"])[0], lost=encode(["c"])[0])
    other = [Put(0, 7, "a", "1"), Put(0, 9, "b", "3"), Put(1, 1, "c", "6")]
    checked = check(CHANGELOG, table("other", other), suspects=suspects)
    assert {found.causes: found.total for found in checked.found} == {
        frozenset(): 1,
        frozenset({Cause.REPROCESSED}): 1,
        frozenset({Cause.LOST}): 1,
    }


def test_all_are_counted_and_the_first_are_kept() -> None:
    many = [Put(0, number, f"k{number}", "1") for number in range(20)]
    other = [Put(0, number, f"k{number}", "2") for number in range(20)]
    (found,) = check(many, table("other", other)).found
    assert found.total == 20
    assert len(found.anomalies) == 10


def test_two_empty_tables_are_the_same() -> None:
    checked = check([], table("other", []))
    assert not checked.found
    assert not checked.unknowns


def test_an_outputs_last_values_can_be_wrong_results() -> None:
    checked = check(CHANGELOG, table("golden", CHANGELOG[:2]), code=Code.WRONG_RESULT)
    assert {found.code for found in checked.found} == {Code.WRONG_RESULT}


def test_any_two_random_tables_agree_with_two_dictionaries() -> None:
    random = np.random.default_rng(7)
    for _round in range(60):
        sides = []
        for _side in range(2):
            rows, offsets = [], [0, 0]
            for _row in range(int(random.integers(0, 25))):
                partition = int(random.integers(2))
                value = str(random.integers(3)) if random.random() < 0.8 else None
                rows.append(Put(partition, offsets[partition], f"k{random.integers(5)}", value))
                offsets[partition] += 1
            sides.append(rows)
        dictionaries = []
        for rows in sides:
            last: dict[tuple[int, str], str | None] = {}
            for row in rows:
                last[row.partition, row.key] = row.value
            dictionaries.append({key: value for key, value in last.items() if value is not None})
        ours, theirs = dictionaries
        wrong = {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)}
        checked = check_tables(table(LOG, sides[0]), [table("other", sides[1])], limit=100)
        assert sum(found.total for found in checked.found) == len(wrong)
