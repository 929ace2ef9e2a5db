"""The output against that of a run without faults: what it holds too often, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from eoscheck.audit.checks.golden import ContentRows, check_golden, check_golden_run
from eoscheck.audit.checks.outcome import Anomaly, Cause, Checked
from eoscheck.audit.checks.state import Suspects, check_tables
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.records import Place
from tests.unit.audit.tables import Put, reasons, table

Row = tuple[int, int, str]
"""(partition, offset, content); the key is the first letter of the content"""


def rows(topic: str, found: Sequence[Row]) -> ContentRows:
    ordered = sorted(found)
    return ContentRows(
        topic=topic,
        partition=np.array([row[0] for row in ordered], dtype=np.int64),
        offset=np.array([row[1] for row in ordered], dtype=np.int64),
        content=encode([row[2] for row in ordered])[0],
        key=encode([row[2][0] for row in ordered])[0],
    )


def check(output: Sequence[Row], golden: Sequence[Row], **more: object) -> Checked:
    return check_golden(
        rows("out", output),
        rows("golden", golden),
        limit=10,
        **more,  # type: ignore[arg-type]
    )


def only(checked: Checked) -> Anomaly:
    (found,) = checked.found
    assert found.code is Code.WRONG_RESULT
    assert found.total == 1
    return found.anomalies[0]


GOLDEN = [(0, 0, "a1"), (0, 1, "b1"), (1, 0, "a2"), (1, 1, "a2")]


def test_offsets_partitions_and_order_play_no_part() -> None:
    checked = check([(3, 5, "a2"), (3, 9, "b1"), (3, 17, "a2"), (0, 99, "a1")], GOLDEN)
    assert not checked.found
    assert not checked.unknowns
    assert checked.counts == {"golden_records": 4, "not_in_golden": 0, "only_in_golden": 0}


def test_a_record_that_is_not_in_the_golden_run_is_placed() -> None:
    checked = check([*GOLDEN, (0, 7, "a9")], GOLDEN)
    found = only(checked)
    assert found.place == Place("out", 0, 7)
    assert found.offsets == [7]
    assert found.detail == "in out once, in the golden run never"
    assert checked.found[0].causes == frozenset()


def test_a_record_that_only_the_golden_run_holds_is_named_by_its_record_there() -> None:
    found = only(check(GOLDEN[1:], GOLDEN))
    assert found.place == Place("out", 0, -1)
    assert found.key_of == Place("golden", 0, 0)
    assert found.related == {"golden": [Place("golden", 0, 0)]}
    assert found.detail == "in out never, in the golden run once"


def test_the_copies_beyond_those_of_the_golden_run_are_shown() -> None:
    checked = check([*GOLDEN, (1, 7, "a2"), (1, 9, "a2")], GOLDEN)
    found = only(checked)
    assert found.place == Place("out", 1, 7)
    assert found.offsets == [7, 9]
    assert found.detail == "in out 4 times, in the golden run 2 times"
    assert checked.found[0].causes == {Cause.REPROCESSED}
    assert checked.counts["not_in_golden"] == 2


def test_one_copy_of_two_that_is_lacking_is_found() -> None:
    checked = check(GOLDEN[:3], GOLDEN)
    assert only(checked).detail == "in out once, in the golden run 2 times"
    assert checked.found[0].causes == {Cause.LOST}
    assert checked.counts["only_in_golden"] == 1


def test_records_of_keys_with_reprocessed_inputs_say_so() -> None:
    suspects = Suspects(reprocessed=encode(["a"])[0], lost=encode([])[0])
    checked = check([(0, 0, "a1"), (0, 1, "b7"), (1, 0, "a4"), (1, 1, "a2")], GOLDEN)
    assert {(each.total, each.causes) for each in checked.found} == {
        (2, frozenset()),
        (2, frozenset({Cause.LOST})),
    }
    output = [(0, 0, "a1"), (0, 1, "b7"), (1, 0, "a4"), (1, 1, "a2")]
    checked = check(output, GOLDEN, suspects=suspects)
    assert Counter((each.total, each.causes) for each in checked.found) == {
        (1, frozenset()): 1,  # b7
        (1, frozenset({Cause.LOST})): 1,  # b1
        (1, frozenset({Cause.REPROCESSED})): 1,  # a4
        (1, frozenset({Cause.REPROCESSED, Cause.LOST})): 1,  # a2
    }


def test_what_an_incomplete_output_lacks_is_not_judged() -> None:
    checked = check(
        [*GOLDEN[1:], (0, 7, "a9")], GOLDEN, output_gaps=["records below 5 were removed"]
    )
    assert only(checked).place == Place("out", 0, 7)
    (reason,) = reasons(checked)
    assert "1 records of golden are missing in out, but may have been there" in reason


def test_all_are_counted_and_the_first_are_kept() -> None:
    checked = check([(0, number, f"x{number}") for number in range(30)], [])
    assert checked.found[0].total == 30
    assert [each.place.offset for each in checked.found[0].anomalies] == list(range(10))


def test_a_golden_topic_that_tells_nothing_is_unknown() -> None:
    def reason(*, records: int = 5, compacted: bool = False, gaps: Sequence[str] = ()) -> str:
        (unknown,) = check_golden_run(
            golden="golden", records=records, compacted=compacted, gaps=gaps
        )
        return unknown.reason

    assert "holds no committed record" in reason(records=0)
    assert "is compacted" in reason(compacted=True)
    assert "is not complete: a hole" in reason(gaps=["a hole"])
    assert not check_golden_run(golden="golden", records=5, compacted=False, gaps=())


def test_by_the_last_value_of_each_key_a_wrong_value_on_the_way_does_not_count() -> None:
    golden = table("golden", [Put(0, 0, "a", "1"), Put(0, 1, "a", "3"), Put(1, 0, "b", "1")])
    output = table("out", [Put(1, 4, "a", "2"), Put(1, 5, "a", "3"), Put(0, 0, "b", "1")])
    checked = check_tables(output, [golden], code=Code.WRONG_RESULT, by_partition=False, limit=10)
    assert not checked.found
    output = table("out", [Put(1, 4, "a", "3"), Put(1, 5, "a", "2"), Put(0, 0, "b", "1")])
    checked = check_tables(output, [golden], code=Code.WRONG_RESULT, by_partition=False, limit=10)
    found = only(checked)
    assert found.place == Place("out", 1, 5)
    assert found.detail == "golden has another value than out"


def test_any_two_random_topics_agree_with_two_counters() -> None:
    random = np.random.default_rng(11)
    for _round in range(60):
        output, golden = (
            [
                (int(random.integers(2)), offset, f"{'ab'[random.integers(2)]}{random.integers(4)}")
                for offset in range(int(random.integers(0, 20)))
            ]
            for _side in range(2)
        )
        ours, theirs = Counter(row[2] for row in output), Counter(row[2] for row in golden)
        checked = check(output, golden)
        assert checked.counts["not_in_golden"] == (ours - theirs).total()
        assert checked.counts["only_in_golden"] == (theirs - ours).total()
        assert sum(found.total for found in checked.found) == len(ours - theirs) + len(
            theirs - ours
        )
