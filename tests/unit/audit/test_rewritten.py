"""What a run saw of a log, and what is there now: what may differ, and what may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.audit.checks.joined import Acknowledged, Joined, join
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.checks.rewritten import (
    Extent,
    Removable,
    Rows,
    check_acknowledged_places,
    check_observed,
    observed_outputs,
)
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import Digests, Flags, encode
from eoscheck.audit.rows.records import Place
from eoscheck.history import OutputsObserved
from eoscheck.history.events import Event, Identity
from tests.unit.audit.topics import INPUT, OUTPUT, Topic, line, records

OUT = "receipts"


def found(checked: Checked) -> list[Anomaly]:
    (one,) = checked.found
    assert one.code == Code.LOG_REWRITTEN
    return one.anomalies


def seen(
    records: Mapping[int, Identity], *, partition: int = 0, topic: str = OUT
) -> OutputsObserved:
    """`records`: offset -> identity."""
    offsets = list(records)
    return OutputsObserved(
        t=1.25,
        topic=topic,
        partition=partition,
        first_offset=offsets[0],
        last_offset=offsets[-1],
        identities=list(records.values()),
        offsets=offsets,
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
    log_end: int | None = None,
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
        extent=Extent(
            begin=begin or {},
            end=dict.fromkeys(partitions, end),
            log_end={} if log_end is None else dict.fromkeys(partitions, log_end),
            removable={} if removable is None else dict.fromkeys(partitions, removable),
        ),
    )
    return check_observed(observed_outputs(history, OUT), rows, chosen=chosen, limit=limit)


HISTORY = [
    seen({0: 10, 1: 11, 2: "b", 4: 13}),
    seen({0: 20, 1: 21}, partition=1),
    seen({7: 14, 8: 15}),
    seen({0: 98, 1: 99}, topic="another"),
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
    assert (first.identity, first.place) == ("b", (OUT, 0, 2))
    assert first.offsets == [2]
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
    assert (anomaly.facts["records_gone"], anomaly.facts["records_new"]) == (2, 2)


def test_what_the_audit_has_not_read_is_not_judged() -> None:
    assert found(observed(HISTORY, without(0, 7, 8, 9), end=7)) == []
    (part,) = found(observed(HISTORY, without(0, 7, 8, 9), end=8))
    assert (part.identity, part.facts["gone"]) == (14, [14])
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
    again = [*HISTORY, seen({1: 11, 2: "b", 4: 13}), seen({7: 14, 8: 15, 9: 16})]
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


def test_what_a_reader_was_given_beyond_the_end_of_the_log_is_gone() -> None:
    """Of an unread tail that is no news, of a log that ends there it is."""
    short = without(0, 4, 7, 8, 9)
    assert found(observed(HISTORY, short, end=4)) == []
    first, second = found(observed(HISTORY, short, end=4, log_end=4))
    assert (first.identity, first.offsets) == (13, [4])
    assert (second.identity, second.offsets) == (14, [7, 8])
    held = observed(HISTORY, short, end=4, log_end=8)
    assert [each.offsets for each in found(held)] == [[8]]


@given(
    st.dictionaries(st.integers(0, 8), st.sampled_from("ab"), min_size=1),
    st.dictionaries(st.integers(0, 8), st.sampled_from("ab")),
    st.integers(0, 9),
)
def test_it_tells_what_a_plain_comparison_tells(
    was: dict[int, Identity], now: dict[int, Identity], log_end: int
) -> None:
    now = {offset: now[offset] for offset in sorted(now) if offset < log_end}
    history = [seen({offset: was[offset]}) for offset in sorted(was)]
    checked = observed(history, {0: now}, end=log_end, log_end=log_end, limit=100)
    told = {offset for each in found(checked) for offset in each.offsets}
    told |= {place.offset for each in found(checked) for place in each.related["now"]}
    assert told == {offset for offset in range(max(was) + 1) if was.get(offset) != now.get(offset)}


def test_what_an_older_history_did_not_write_down_is_not_compared() -> None:
    old = OutputsObserved(
        t=1.0, topic=OUT, partition=0, first_offset=0, last_offset=1, identities=[98, 99]
    )
    checked = observed([old], LOG)
    assert (found(checked), checked.counts) == ([], {"observed_outputs_compared": 0})


def sent(source: Topic, *places: tuple[Identity, int, int], gaps: Sequence[str] = ()) -> Joined:
    """What was acknowledged: (identity, partition, offset)."""
    identities, partitions, offsets = zip(*places, strict=True)
    acknowledged = Acknowledged(identities=identities, partitions=partitions, offsets=offsets)
    return join(
        records(OUTPUT, {}), records(INPUT, source), acknowledged=acknowledged, input_gaps=gaps
    )


def astray(checked: Checked) -> list[tuple[Identity | None, Place]]:
    return [(each.identity, each.place) for each in found(checked)]


SOURCE = {0: line(1, 2, "b"), 1: line(7)}
ALL_OF_IT = Extent(end={0: 3, 1: 1}, log_end={0: 3, 1: 1})


def test_an_acknowledged_record_that_is_where_it_was_said_to_be_is_silent() -> None:
    right = sent(SOURCE, (1, 0, 0), ("b", 0, 2), (7, 1, 0), (2, 0, -1001))
    assert astray(check_acknowledged_places(right, ALL_OF_IT, limit=9)) == []


def test_an_acknowledged_record_whose_offset_holds_another_or_none_is_named() -> None:
    wrong = sent(SOURCE, (2, 0, 0), (4, 0, 1), (7, 1, 0), (8, 1, 1), (9, 2, 0))
    checked = check_acknowledged_places(wrong, ALL_OF_IT, limit=9)
    assert astray(checked) == [
        (2, Place(INPUT, 0, 0)),
        (4, Place(INPUT, 0, 1)),
        (8, Place(INPUT, 1, 1)),
    ]
    assert check_acknowledged_places(wrong, ALL_OF_IT, limit=1).found[0].total == 3


def test_an_acknowledged_record_beyond_what_was_read_again_is_not_judged() -> None:
    wrong = sent(SOURCE, (4, 0, 0), (5, 0, 1), (6, 0, 5))
    part = Extent(begin={0: 1}, end={0: 3})
    assert astray(check_acknowledged_places(wrong, part, limit=9)) == [(5, Place(INPUT, 0, 1))]


def test_acknowledged_records_of_an_input_with_gaps_or_compaction_are_unknown() -> None:
    wrong = sent(SOURCE, (4, 0, 0), gaps=["records of payments-0 were removed"])
    checked = check_acknowledged_places(wrong, ALL_OF_IT, limit=9)
    assert (list(checked.found), len(checked.unknowns)) == ([], 1)
    compacted = Extent(end={0: 3}, removable={0: Removable(compacted=True)})
    checked = check_acknowledged_places(sent(SOURCE, (4, 0, 0)), compacted, limit=9)
    assert (astray(checked), len(checked.unknowns)) == ([], 1)


def test_a_run_without_a_reader_says_nothing() -> None:
    assert found(observed([], LOG)) == []
    assert len(found(observed(HISTORY, {}))) == 3
