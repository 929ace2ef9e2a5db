"""Two reads of one log: what may differ between them, and what may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.checks.rewritten import (
    Reading,
    Removable,
    Rows,
    check_observed,
    check_two_reads,
    observed_outputs,
)
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import Digests, Flags, encode
from eoscheck.history import OutputsObserved
from eoscheck.history.events import Event, Identity

OUT = "receipts"


def reading(records: Mapping[int, str]) -> Reading:
    offsets = sorted(records)
    content, _known = encode([records[offset] for offset in offsets])
    return Reading(offset=np.array(offsets, dtype=np.int64), content=content)


def twice(
    first: Mapping[int, str],
    second: Mapping[int, str],
    *,
    begin: int = 0,
    end: int = 100,
    limit: int = 10,
    removable: Removable | None = None,
) -> Checked:
    return check_two_reads(
        reading(first),
        reading(second),
        topic=OUT,
        partition=3,
        begin=begin,
        end=end,
        removable=removable,
        limit=limit,
    )


def found(checked: Checked) -> list[Anomaly]:
    (one,) = checked.found
    assert one.code == Code.LOG_REWRITTEN
    return one.anomalies


def changes(checked: Checked) -> list[tuple[int, str]]:
    return [(each.place.offset, each.facts["change"]) for each in found(checked)]


def test_a_log_that_was_not_touched_is_the_same_twice() -> None:
    log = {0: "a", 1: "b", 5: "c"}
    checked = twice(log, log)
    assert found(checked) == []
    assert checked.counts == {"read_twice": 3}


def test_another_record_one_that_is_gone_and_one_that_came_are_told_by_their_offsets() -> None:
    checked = twice({0: "a", 1: "b", 5: "c"}, {0: "a", 1: "x", 4: "y"})
    assert changes(checked) == [(1, "other"), (4, "new"), (5, "gone")]
    assert found(checked)[0].place == (OUT, 3, 1)
    assert found(checked)[0].detail == "held another record at the first read than at the second"
    assert found(checked)[2].related == {}


def test_what_only_one_of_the_reads_covers_is_not_compared() -> None:
    assert changes(twice({0: "a", 8: "z"}, {0: "a"}, end=5)) == []
    assert changes(twice({0: "a", 8: "z"}, {8: "z"}, begin=5)) == []


def test_retention_between_the_reads_removes_rightly() -> None:
    removable = Removable(below=5)
    assert changes(twice({0: "a", 5: "b"}, {5: "b"}, removable=removable)) == []
    assert changes(twice({0: "a", 5: "b"}, {5: "x"}, removable=removable)) == [(5, "other")]


def test_compaction_between_the_reads_makes_what_is_gone_unknown_and_changes_nothing() -> None:
    removable = Removable(compacted=True)
    checked = twice({0: "a", 1: "b", 2: "c"}, {1: "x", 2: "c"}, removable=removable)
    assert changes(checked) == [(1, "other")]
    (unknown,) = checked.unknowns
    assert unknown.subject == Code.LOG_REWRITTEN
    assert twice({0: "a"}, {0: "a"}, removable=removable).unknowns == []


def test_all_are_counted_and_the_first_are_shown() -> None:
    checked = twice(dict.fromkeys(range(9), "a"), dict.fromkeys(range(9), "b"), limit=2)
    assert checked.found[0].total == 9
    assert changes(checked) == [(0, "other"), (1, "other")]


@given(
    st.dictionaries(st.integers(0, 8), st.sampled_from("ab")),
    st.dictionaries(st.integers(0, 8), st.sampled_from("ab")),
)
def test_it_tells_what_a_plain_comparison_tells(
    first: dict[int, str], second: dict[int, str]
) -> None:
    assert [offset for offset, _what in changes(twice(first, second))] == sorted(
        offset for offset in first.keys() | second.keys() if first.get(offset) != second.get(offset)
    )


def seen(
    first: int, last: int, *identities: Identity, partition: int = 0, topic: str = OUT
) -> OutputsObserved:
    return OutputsObserved(
        t=1.25,
        topic=topic,
        partition=partition,
        first_offset=first,
        last_offset=last,
        identities=list(identities),
    )


def even(digests: Digests) -> Flags:
    return np.asarray(digests.low % 2 == 0)


def odd(digests: Digests) -> Flags:
    return np.asarray(digests.low % 2 != 0)


def observed(
    history: Sequence[Event],
    log: Mapping[int, Mapping[int, Identity]],
    *,
    chosen: Callable[[Digests], Flags] | None = None,
    begin: Mapping[int, int] | None = None,
    end: int = 100,
    removable: Removable | None = None,
    limit: int = 10,
) -> Checked:
    """`log`: partition -> offset -> identity, as the audit reads it; one shard, or the chosen."""
    placed = [(n, o, each) for n, rows in sorted(log.items()) for o, each in sorted(rows.items())]
    identity, _known = encode([each for _n, _o, each in placed])
    partition = np.array([n for n, _o, _each in placed], dtype=np.int64)
    offset = np.array([o for _n, o, _each in placed], dtype=np.int64)
    if chosen is not None:
        kept = chosen(identity)
        partition, offset = partition[kept], offset[kept]
        identity = Digests(identity.low[kept], identity.high[kept])
    partitions = range(4)
    rows = Rows(
        partition=partition,
        offset=offset,
        identity=identity,
        begin=begin or {},
        end=dict.fromkeys(partitions, end),
        removable={} if removable is None else dict.fromkeys(partitions, removable),
    )
    return check_observed(observed_outputs(history, OUT), rows, chosen=chosen, limit=limit)


HISTORY = [
    seen(0, 4, 10, 11, "b", 13),
    seen(0, 1, 20, 21, partition=1),
    seen(7, 8, 14, 15),
    seen(0, 1, 98, 99, topic="another"),
]
LOG: Mapping[int, Mapping[int, Identity]] = {
    0: {0: 10, 1: 11, 2: "b", 4: 13, 7: 14, 8: 15, 9: 16},
    1: {0: 20, 1: 21, 2: 22},
}


def without(partition: int, *offsets: int) -> Mapping[int, Mapping[int, Identity]]:
    kept = {o: each for o, each in LOG[partition].items() if o not in offsets}
    return {**LOG, partition: kept}


def replaced(partition: int, rows: Mapping[int, Identity]) -> Mapping[int, Mapping[int, Identity]]:
    return {**LOG, partition: {**LOG[partition], **rows}}


def test_a_reader_s_records_that_are_all_there_are_silent() -> None:
    checked = observed(HISTORY, LOG)
    assert found(checked) == []
    assert checked.counts == {"observed_outputs_compared": 8}


def test_a_committed_record_that_vanished_is_named() -> None:
    checked = observed(HISTORY, without(0, 2, 7))
    first, second = found(checked)
    assert checked.found[0].total == 2
    assert (first.identity, first.place) == ("b", (OUT, 0, 0))
    assert first.offsets == [0, 4]
    assert first.detail == (
        "of the committed records that a reader was given from offsets 0 to 4, 1 are gone"
    )
    assert first.facts == {
        "observed_at_s": 1.25,
        "gone": ["b"],
        "records_gone": 1,
        "records_new": 0,
    }
    assert second.identity == 14


def test_another_record_in_its_place_is_shown_where_it_stands() -> None:
    (anomaly,) = found(observed(HISTORY, replaced(0, {2: "x"})))
    assert (anomaly.identity, anomaly.place) == ("b", (OUT, 0, 2))
    assert anomaly.related["now"] == [(OUT, 0, 2)]
    assert "1 are gone, and 1 others are there" in anomaly.detail


@pytest.mark.parametrize("offset", [3, 5, 6])
def test_a_record_that_the_reader_went_past_and_was_not_given_is_new(offset: int) -> None:
    (anomaly,) = found(observed(HISTORY, replaced(0, {offset: 77})))
    assert anomaly.place == (OUT, 0, offset)
    assert anomaly.detail.endswith("was not given 1 that are there now")


def test_the_same_records_in_another_order_are_another_log() -> None:
    (anomaly,) = found(observed(HISTORY, replaced(1, {0: 21, 1: 20})))
    assert (anomaly.facts["records_gone"], anomaly.facts["records_new"]) == (1, 1)


def test_what_the_audit_has_not_read_is_not_judged() -> None:
    assert found(observed(HISTORY, without(0, 7, 8, 9), end=8)) == []
    assert len(found(observed(HISTORY, without(0, 7, 8, 9), end=9))) == 1
    assert found(observed(HISTORY, without(0, 0), begin={0: 1})) == []


def test_retention_and_deleted_records_are_no_rewriting() -> None:
    gone = {**without(0, 0, 1, 2), 1: {2: 22}}
    assert found(observed(HISTORY, gone, removable=Removable(below=3))) == []
    after = {**gone, 0: {4: 13, 7: 14, 9: 16}}
    assert len(found(observed(HISTORY, after, removable=Removable(below=3)))) == 1


def test_compaction_makes_what_is_gone_unknown() -> None:
    checked = observed(HISTORY, without(0, 2), removable=Removable(compacted=True))
    assert (found(checked), len(checked.unknowns)) == ([], 1)
    other = observed(HISTORY, replaced(0, {2: "x"}), removable=Removable(compacted=True))
    assert len(found(other)) == 1


def test_a_reader_that_was_set_back_reads_twice_and_each_time_counts() -> None:
    again = [*HISTORY, seen(1, 4, 11, "b", 13), seen(7, 9, 14, 15, 16)]
    assert found(observed(again, LOG)) == []
    changed = observed(again, replaced(0, {1: 12}))
    assert [each.facts["gone"] for each in found(changed)] == [[11], [11]]


@pytest.mark.parametrize("log", [LOG, without(0, 0, 2, 7, 8), replaced(0, {1: 12, 3: 44, 4: 8})])
def test_shards_together_find_what_one_finds(log: Mapping[int, Mapping[int, Identity]]) -> None:
    whole = observed(HISTORY, log)
    parts = [observed(HISTORY, log, chosen=chosen) for chosen in (even, odd)]
    for name in ("records_gone", "records_new"):
        assert sum(each.facts[name] for each in found(whole)) == sum(
            each.facts[name] for part in parts for each in found(part)
        )
    assert sum(part.counts["observed_outputs_compared"] for part in parts) == 8


def test_a_run_without_a_reader_says_nothing() -> None:
    assert found(observed([], LOG)) == []
    assert len(found(observed(HISTORY, {}))) == 3
