"""Two views of one log: random logs against a reader of one batch at a time, and each anomaly by
hand beside its innocent look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder

from eoscheck.audit.batches.client_view import given_to_client
from eoscheck.audit.batches.formats import are_old_format
from eoscheck.audit.batches.runs import Runs
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.findings import Code
from eoscheck.logformat import read_batches
from eoscheck.logformat.batches import Control
from tests.unit.audit.raw_logs import (
    Batch,
    Log,
    columns,
    given_one_by_one,
    judged_one_by_one,
)


def view(**options: Any) -> RawView:
    return RawView("out", **{"limit": 100, **options})


def take(
    raw: RawView, log: Sequence[Batch], aborted: Sequence[tuple[int, int]] = (), **options: Any
) -> list[bool]:
    end = log[-1].last + 1 if log else 0
    return raw.take(
        options.pop("partition", 0),
        columns(log),
        aborted,
        **{"high_watermark": end, "last_stable_offset": end, **options},
    ).tolist()


def anomalies(checked: Checked, code: Code) -> list[Anomaly]:
    return [each for found in checked.found if found.code is code for each in found.anomalies]


def places(checked: Checked, code: Code) -> list[int]:
    return [each.place.offset for each in anomalies(checked, code)]


def checked_of(log: Log, **options: Any) -> Checked:
    raw = view(**options)
    take(raw, log.batches, log.aborted)
    return raw.checked()


# ---------------------------------------------------------------- random logs

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["data", "data", "data", "commit", "abort", "plain", "other", "stray"]),
        st.integers(0, 3),
        st.integers(-1, 1),
        st.integers(1, 4),
    ),
    max_size=60,
)


def build(steps: Sequence[tuple[str, int, int, int]]) -> Log:
    """Producers whose epochs mostly rise, as markers of protocol v2 and fencing make them; now and
    then one falls, which no broker would take."""
    log, epochs = Log(), dict.fromkeys(range(4), 1)
    for what, producer, change, records in steps:
        if what == "data":
            log.data(producer, epochs[producer], records=records)
        elif what == "stray":
            log.data(producer + 10, max(0, change), records=records, transactional=False)
        elif what == "plain":
            log.plain(records=records)
        elif what == "other":
            log.other()
        else:
            epochs[producer] = max(0, epochs[producer] + change)
            (log.commit if what == "commit" else log.abort)(producer, epochs[producer])
    return log


@pytest.mark.thorough
@given(
    steps=_STEPS,
    lies=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 80)), max_size=4),
    told=st.integers(0, 2**16),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    at_once=st.sampled_from([1, 3, 4096]),
)
@settings(max_examples=500)
def test_any_log_in_any_pieces_is_judged_as_one_batch_at_a_time(
    steps: list[tuple[str, int, int, int]],
    lies: list[tuple[int, int]],
    told: int,
    cuts: list[int],
    at_once: int,
) -> None:
    log = build(steps)
    aborted = [entry for n, entry in enumerate(log.aborted) if told >> n & 1 or n > 16] + lies
    raw, shown = view(at_once=at_once), []
    borders = [0, *sorted(min(cut, len(log.batches)) for cut in cuts), len(log.batches)]
    for first, last in pairwise(borders):
        piece = log.batches[first:last]
        if not piece:
            continue
        # As a broker does: what ended before this piece began is not in its list.
        ended = [a for a in aborted if not _over(log.batches[:first], *a)]
        expected = given_one_by_one(piece, ended)
        assert take(raw, piece, ended) == expected
        shown += expected
    judged = judged_one_by_one(log.batches, shown)
    checked = raw.checked()
    found = {code: sorted(places(checked, code)) for code in Code}
    assert found[Code.ABORTED_VISIBLE] == sorted(judged.aborted_visible)
    assert found[Code.LOST_COMMIT] == sorted(judged.lost_commit)
    assert found[Code.ZOMBIE_WRITE] == sorted(judged.zombies)
    assert checked.unknowns == []
    told_of = raw.statistics()
    assert (told_of.committed, told_of.aborted, told_of.open) == (
        judged.committed,
        judged.aborted,
        judged.open,
    )
    assert told_of.committed_records == judged.committed_records
    assert told_of.aborted_records == judged.aborted_records


def _over(before: Sequence[Batch], producer: int, first: int) -> bool:
    return any(
        b.control is Control.ABORT and b.producer_id == producer and b.base >= first for b in before
    )


@given(steps=_STEPS, told=st.integers(0, 2**16))
@settings(max_examples=200)
def test_a_client_is_given_what_java_s_client_is_given(
    steps: list[tuple[str, int, int, int]], told: int
) -> None:
    log = build(steps)
    aborted = [entry for n, entry in enumerate(log.aborted) if told >> n & 1]
    expected = given_one_by_one(log.batches, aborted)
    assert given_to_client(columns(log.batches), aborted).tolist() == expected


# ---------------------------------------------------------------- each anomaly by hand


def honest() -> Log:
    """Aborts, commits, fencing markers, protocol v2, a leader change and an idle producer."""
    log = Log()
    log.data(1, records=3)
    log.data(2, 5, records=2)
    log.abort(1)
    log.data(1, records=2)
    log.other()
    log.commit(2, 6)
    log.data(2, 6, records=2)
    log.commit(1)
    log.abort(2, 7)  # fenced, or timed out
    log.data(2, 8)
    log.commit(2, 9)
    return log


def test_an_honest_log_is_silent() -> None:
    checked = checked_of(honest())
    assert (checked.found, checked.unknowns, checked.hazards) == ([], [], [])


def test_an_aborted_transaction_that_the_list_leaves_out_is_shown() -> None:
    log = honest()
    raw = view()
    take(raw, log.batches, log.aborted[1:])
    (found,) = raw.checked().found
    (anomaly,) = found.anomalies
    assert (found.code, found.total) == (Code.ABORTED_VISIBLE, 1)
    assert (anomaly.place, anomaly.offsets) == (("out", 0, 0), [0, 2])
    assert anomaly.detail.startswith("3 of 3 records of an aborted transaction")
    assert anomaly.facts["producer_id"] == 1
    assert anomaly.facts["transaction"] == {
        "first_offset": 0,
        "marker_offset": 5,
        "marker": "abort",
        "marker_epoch": 0,
        "records": 3,
    }


def test_a_committed_transaction_that_the_list_names_is_hidden() -> None:
    log = honest()
    raw = view()
    take(raw, log.batches, [*log.aborted, (2, 3)])
    checked = raw.checked()
    assert places(checked, Code.LOST_COMMIT) == [3]
    assert anomalies(checked, Code.LOST_COMMIT)[0].facts["transaction"]["marker"] == "commit"


def test_a_marker_that_was_swapped_contradicts_the_list() -> None:
    log = honest()
    swapped = [
        replace(b, control=Control.COMMIT) if b.control is Control.ABORT and b.base == 5 else b
        for b in log.batches
    ]
    raw = view()
    take(raw, swapped, log.aborted)
    # Without its abort marker the client goes on to skip the producer's next transaction too.
    assert places(raw.checked(), Code.LOST_COMMIT) == [0, 6]


def test_a_transaction_over_many_answers_is_one() -> None:
    log = Log()
    for _ in range(10):
        log.data(1, records=2)
        log.data(2)
    log.commit(1)
    log.abort(2)
    raw = view(at_once=1)
    for batch in log.batches:
        aborted = log.aborted if batch.base <= 25 else []
        take(raw, [batch], aborted)
    checked = raw.checked()
    assert [(f.code, f.total) for f in checked.found] == [(Code.ABORTED_VISIBLE, 1)]
    (anomaly,) = anomalies(checked, Code.ABORTED_VISIBLE)
    assert (anomaly.offsets, anomaly.detail.split(" records")[0]) == ([26, 29], "2 of 10")
    statistics = raw.statistics()
    assert statistics.size == {"p50": 10.0, "p99": 20.0, "max": 20.0}
    assert (statistics.committed, statistics.aborted, statistics.open) == (1, 1, 0)
    assert statistics.duration_ms["max"] == 19_000 + 1_000


def test_what_came_before_is_not_taken_again() -> None:
    log = honest()
    raw = view()
    first = take(raw, log.batches[:4], log.aborted)
    again = take(raw, log.batches[2:], log.aborted)
    assert first + again[2:] == given_one_by_one(log.batches, log.aborted)
    assert again[:2] == [False, False]
    assert raw.checked().found == []
    assert raw.statistics().aborted == 2


def test_what_is_withheld_is_aborted_data_that_is_new() -> None:
    log = honest()
    log.plain()
    raw = view()
    given = take(raw, log.batches[:6], log.aborted)
    withheld = raw.withheld(0).tolist()
    for batch, shown, kept in zip(log.batches, given, withheld, strict=False):
        assert not (shown and kept)
        assert (shown or kept) == (batch.control is Control.DATA)
    take(raw, log.batches, log.aborted)
    again = raw.withheld(0).tolist()
    assert not any(again[:6])
    assert [b.base for b, kept in zip(log.batches, again, strict=True) if kept] == [10]
    raw.take(0, columns([]), high_watermark=0, last_stable_offset=0)
    assert raw.withheld(0).tolist() == []


@pytest.mark.parametrize("at_once", [1, 4096])
def test_a_write_after_a_fencing_marker_is_a_zombie_s_only_if_it_is_committed(at_once: int) -> None:
    log = Log()
    log.data(1, 4)
    log.abort(1, 5)
    zombie = log.data(1, 4, records=2)
    log.abort(1, 5)
    assert checked_of(log).found == []
    zombie = log.data(1, 4, records=2)
    log.commit(1, 5)
    raw = view(at_once=at_once)
    for batch in log.batches:
        take(raw, [batch])
    assert places(raw.checked(), Code.ZOMBIE_WRITE) == [zombie]


def test_an_idempotent_zombie_is_found_without_a_transaction() -> None:
    log = Log()
    log.data(1, 3, transactional=False)
    log.data(1, 4, transactional=False)
    assert checked_of(log).found == []
    late = log.data(1, 3, transactional=False)
    assert places(checked_of(log), Code.ZOMBIE_WRITE) == [late]
    raw = view(at_once=1)
    for batch in log.batches:
        take(raw, [batch])
    assert places(raw.checked(), Code.ZOMBIE_WRITE) == [late]


def test_epochs_of_different_producers_and_partitions_are_not_compared() -> None:
    raw = view()
    high, low = Log(), Log()
    high.data(1, 9)
    high.commit(1, 9)
    low.data(1, 2)
    low.commit(1, 2)
    high.data(2, 0)
    high.commit(2, 0)
    take(raw, high.batches, partition=0)
    take(raw, low.batches, partition=1)
    assert raw.checked().found == []


def test_a_broken_batch_is_corrupt_and_makes_what_it_may_explain_unknown() -> None:
    log = Log()
    log.data(1, records=2)
    broken = log.data(3)
    log.commit(1)
    log.commit(3)
    batches = [replace(b, intact=b.base != broken) for b in log.batches]
    raw = view()
    assert take(raw, batches, [(1, 0)]) == [False, False, False, False]
    checked = raw.checked()
    assert [(f.code, f.total) for f in checked.found] == [(Code.CORRUPTED, 1)]
    assert places(checked, Code.CORRUPTED) == [broken]
    assert ["look different" in u.reason for u in checked.unknowns] == [True, False]
    assert "1 broken batches" in checked.unknowns[1].reason


# ---------------------------------------------------------------- holes


def without(log: Log, *bases: int) -> list[Batch]:
    return [batch for batch in log.batches if batch.base not in bases]


def with_middle() -> tuple[Log, int]:
    log = Log()
    log.data(1, records=2)
    middle = log.data(1, records=3)
    log.data(2, records=1)
    log.data(1, records=2)
    log.commit(1)
    log.commit(2)
    return log, middle


@pytest.mark.parametrize("at_once", [1, 4096])
def test_a_batch_hidden_out_of_a_committed_transaction_is_proved_by_its_sequence(
    at_once: int,
) -> None:
    log, middle = with_middle()
    raw = view(at_once=at_once)
    for batch in without(log, middle):
        take(raw, [batch])
    checked = raw.checked()
    assert [(f.code, f.total) for f in checked.found] == [(Code.LOST_COMMIT, 1)]
    (anomaly,) = anomalies(checked, Code.LOST_COMMIT)
    assert (anomaly.place.offset, anomaly.facts["records"]) == (middle, 3)
    assert checked.unknowns == []


def test_the_same_hole_proves_nothing_where_the_topic_is_or_was_compacted() -> None:
    log, middle = with_middle()
    raw = view(compacted=True)
    take(raw, without(log, middle))
    assert (raw.checked().found, raw.checked().unknowns) == ([], [])
    # Compaction has left its mark on another batch: the policy was changed since.
    marked = [replace(b, records=1) if b.base == 0 else b for b in without(log, middle)]
    raw = view()
    take(raw, marked)
    checked = raw.checked()
    assert checked.found == []
    (unknown,) = checked.unknowns
    assert "3 offsets in 1 places hold nothing (2 to 4 first)" in unknown.reason


def test_a_hole_below_the_log_s_start_is_retention() -> None:
    log, middle = with_middle()
    raw = view(at_once=1)
    take(raw, log.batches[:1])
    take(raw, without(log, 0, middle), log_start=5)
    assert (raw.checked().found, raw.checked().unknowns) == ([], [])


def test_a_hole_without_a_sequence_to_prove_it_is_unknown() -> None:
    log = Log()
    log.plain(records=2)
    hidden = log.plain(records=2)
    log.plain()
    raw = view()
    take(raw, without(log, hidden))
    checked = raw.checked()
    assert checked.found == []
    assert [u.subject for u in checked.unknowns] == ["out-0"]


def test_a_hidden_marker_is_no_hidden_record() -> None:
    log = Log()
    log.data(1, records=2)
    marker = log.abort(1)
    log.data(1, records=2)
    log.commit(1)
    raw = view()
    take(raw, without(log, marker), log.aborted)
    checked = raw.checked()
    # The client skips all four; by the markers left all four are committed. Nobody can say.
    assert checked.found == []
    assert any("look different" in unknown.reason for unknown in checked.unknowns)


def test_what_was_hidden_before_a_transaction_began_says_nothing_of_it() -> None:
    log = Log()
    log.plain()
    hidden = log.plain()
    visible = log.data(1, records=2)
    log.abort(1)
    raw = view()
    take(raw, without(log, hidden))
    assert places(raw.checked(), Code.ABORTED_VISIBLE) == [visible]


def test_a_marker_may_be_hidden_with_the_records_after_it() -> None:
    log = Log()
    log.data(1)
    marker = log.abort(1)
    after = log.data(1)
    log.data(1)
    log.commit(1)
    raw = view()
    take(raw, without(log, marker, after))
    checked = raw.checked()
    assert checked.found == []
    assert len(checked.unknowns) == 1


def test_a_hole_in_an_aborted_transaction_loses_nothing() -> None:
    log = Log()
    log.data(1)
    middle = log.data(1)
    log.data(1)
    log.abort(1)
    raw = view()
    take(raw, without(log, middle), log.aborted)
    checked = raw.checked()
    assert checked.found == []
    assert len(checked.unknowns) == 1


def test_an_idempotent_batch_that_is_gone_with_its_sequence_is_lost() -> None:
    log = Log()
    log.data(1, records=2, transactional=False)
    middle = log.data(1, records=2, transactional=False)
    log.data(1, transactional=False)
    raw = view()
    take(raw, without(log, middle))
    assert places(raw.checked(), Code.LOST_COMMIT) == [middle]


def test_sequences_wrap_and_begin_again_without_a_finding() -> None:
    batch = Batch(base=0, last=4, records=5, producer_id=1, epoch=0, sequence=2**31 - 5)
    after = replace(batch, base=5, last=5, records=1, sequence=0)
    anew = replace(after, base=6, last=6, sequence=0)
    raw = view()
    take(raw, [batch, after, anew])
    assert raw.checked() == Checked()


def test_a_retry_that_a_broker_took_as_new_is_counted() -> None:
    batch = Batch(base=0, last=1, records=2, producer_id=1, epoch=0, sequence=4)
    again = replace(batch, base=2, last=3)
    for at_once in (1, 4096):
        raw = view(at_once=at_once)
        take(raw, [batch])
        take(raw, [again])
        assert raw.checked().counts == {"repeated_batches": 1}
        assert raw.checked().found == []


# ---------------------------------------------------------------- a compacted topic


def test_what_a_cleaner_leaves_of_a_producer_opens_no_transaction() -> None:
    empty = Batch(base=3, last=5, records=0, producer_id=1, epoch=0, sequence=3, transactional=True)
    log = Log()
    log._end = 6
    log.data(2)
    log.commit(2)
    raw = view(compacted=True)
    take(raw, [empty, *log.batches])
    assert raw.checked().found == []
    assert (raw.statistics().open, raw.statistics().committed) == (0, 1)


# ---------------------------------------------------------------- a real client's word


def delivered(log: Log, offsets: Sequence[int], **options: Any) -> Checked:
    raw = view(**options)
    raw.delivered(0, np.array(offsets, dtype=np.int64))
    take(raw, log.batches)
    return raw.checked()


def offsets_of(log: Log) -> list[int]:
    shown = given_one_by_one(log.batches, log.aborted)
    return [
        offset
        for batch, given in zip(log.batches, shown, strict=True)
        if given
        for offset in range(batch.base, batch.last + 1)
    ]


def test_a_client_that_gave_what_is_committed_is_right() -> None:
    log = honest()
    log.plain(records=3)
    assert delivered(log, offsets_of(log)) == Checked()


def test_a_client_s_records_are_held_against_the_markers_one_by_one() -> None:
    log = honest()
    log.plain(records=3)
    good = offsets_of(log)
    checked = delivered(log, [*good, 1])
    assert [(f.code, f.total) for f in checked.found] == [(Code.ABORTED_VISIBLE, 1)]
    assert "1 of 3 records" in anomalies(checked, Code.ABORTED_VISIBLE)[0].detail
    committed, plain = good[0], good[-1]
    checked = delivered(log, [offset for offset in good if offset not in (committed, plain)])
    assert sorted(places(checked, Code.LOST_COMMIT)) == [committed, plain - 2]


def test_what_the_client_was_not_asked_for_is_not_missing() -> None:
    log = honest()
    good = offsets_of(log)
    raw = view()
    raw.delivered(0, np.array([offset for offset in good if 7 <= offset < 12], dtype=np.int64))
    raw.read_by_client(0, start=7, stop=12)
    take(raw, log.batches)
    assert raw.checked() == Checked()


def test_records_that_compaction_took_after_the_client_had_them_are_innocent() -> None:
    log = honest()
    good = offsets_of(log)
    compacted = [replace(b, records=1) if b.base == 3 else b for b in log.batches if b.base != 6]
    raw = view(compacted=True)
    raw.delivered(0, np.array(good, dtype=np.int64))
    take(raw, compacted)
    assert raw.checked() == Checked()


def test_a_client_that_gave_nothing_at_all_has_lost_everything() -> None:
    log = honest()
    raw = view()
    raw.read_by_client(0, start=0, stop=100)
    take(raw, log.batches)
    assert len(places(raw.checked(), Code.LOST_COMMIT)) == 3


@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=5))
def test_offsets_are_counted_in_whatever_pieces_they_come(pieces: list[list[int]]) -> None:
    runs, every = Runs(), {offset for piece in pieces for offset in piece}
    for piece in pieces:
        runs.add(np.array(piece, dtype=np.int64))
    first, last = (np.ravel(grid) for grid in np.mgrid[0:62:7, 0:62:3])
    expected = [
        sum(low <= offset <= high for offset in every)
        for low, high in zip(first, last, strict=True)
    ]
    counted = np.where(first <= last, runs.count(first, last), 0)
    assert counted.tolist() == expected


# ---------------------------------------------------------------- bounds, hazards, figures


def test_no_more_than_the_limit_is_kept_and_all_are_counted() -> None:
    log = Log()
    for _ in range(10):
        log.data(1)
        log.abort(1)
    raw = view(limit=3)
    take(raw, log.batches, [])
    (found,) = raw.checked().found
    assert (found.total, len(found.anomalies)) == (10, 3)


def test_idle_producers_are_forgotten_and_open_ones_are_not() -> None:
    raw = view(producers=10, at_once=1)
    log = Log()
    opened = log.data(1000, 7, records=2)
    for producer in range(100):
        log.data(producer)
        log.commit(producer)
    log.abort(1000, 7)
    for batch in log.batches:
        take(raw, [batch], [])
    checked = raw.checked()
    assert places(checked, Code.ABORTED_VISIBLE) == [opened]
    assert len(raw.tenures()) <= 10
    assert checked.counts["forgotten_producers"] >= 90


def test_what_was_written_outside_transactions_is_counted_with_its_first_place() -> None:
    log = honest()
    first = log.plain(records=2)
    log.data(7, records=3, transactional=False)
    assert checked_of(log).hazards == []
    (hazard,) = checked_of(log, transactions_expected=True).hazards
    assert (hazard.partition, hazard.offset) == (0, first)
    assert hazard.facts == {"records": 5, "batches": 2}


@pytest.mark.parametrize("at_once", [1, 4096])
def test_a_long_transaction_is_timed_by_the_marker_before_it_where_records_bear_old_times(
    at_once: int,
) -> None:
    log = Log()
    log.data(1)
    log.commit(1)
    log.data(2)
    log.commit(2)
    replayed = [
        replace(b, time_ms=5) if b.producer_id == 2 and b.base == 2 else b for b in log.batches
    ]
    raw = view(at_once=at_once)
    for batch in replayed:
        take(raw, [batch])
    assert [(each.producer_id, each.duration_ms) for each in raw.longest()] == [
        (2, 2000),
        (1, 1000),
    ]


def test_the_distance_to_the_last_stable_offset_is_the_last_one_told() -> None:
    log = honest()
    raw = view()
    take(raw, log.batches[:2], high_watermark=100, last_stable_offset=10)
    take(raw, log.batches[2:], high_watermark=30, last_stable_offset=26)
    take(raw, [], partition=1, high_watermark=9, last_stable_offset=9)
    assert raw.statistics().lso_lag == 4


# ---------------------------------------------------------------- broken headers, old formats


def test_a_broken_header_moves_no_offsets() -> None:
    log = Log()
    log.data(1)
    broken = log.data(1)
    log.data(1)
    log.commit(1)
    for base, last in ((2**62, 2**62), (-5, -5), (0, 2**62)):
        batches = [
            replace(b, intact=False, base=base, last=last) if b.base == broken else b
            for b in log.batches
        ]
        for at_once in (1, 4096):
            raw = view(at_once=at_once)
            given = [take(raw, [batch], last_stable_offset=4)[0] for batch in batches]
            assert given == [True, False, True, False]
            checked = raw.checked()
            assert [(f.code, f.total) for f in checked.found] == [(Code.CORRUPTED, 1)]
            assert len(checked.unknowns) == 1


def test_messages_of_older_formats_are_not_read_and_not_corrupt() -> None:
    old = _legacy()
    new = _batch(1)
    data = old + new
    batches = read_batches(data)
    assert are_old_format(data, batches).tolist() == [True, False]
    raw = view()
    given = raw.take(
        0,
        batches,
        high_watermark=2,
        last_stable_offset=2,
        old_format=are_old_format(data, batches),
    )
    assert given.tolist() == [False, True]
    checked = raw.checked()
    assert checked.found == []
    (unknown,) = checked.unknowns
    assert "--reader client" in unknown.reason


@pytest.mark.parametrize("at", [16, 25, -1])
def test_a_flipped_byte_is_corrupt_and_of_no_older_format(at: int) -> None:
    damaged = bytearray(_batch(0))
    damaged[at] ^= 3
    batches = read_batches(bytes(damaged))
    assert are_old_format(bytes(damaged), batches).tolist() == [False]
    raw = view()
    assert raw.take(0, batches, high_watermark=1, last_stable_offset=1).tolist() == [False]
    assert [found.code for found in raw.checked().found] == [Code.CORRUPTED]


def _legacy() -> bytes:
    builder = LegacyRecordBatchBuilder(magic=1, compression_type=0, batch_size=1000)
    builder.append(0, timestamp=1, key=b"k", value=b"v")
    return bytes(builder.build())


def _batch(base: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1000,
    )
    builder.append(0, 1, b"k", b"v", [])
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]
