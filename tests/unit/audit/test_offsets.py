"""The group's offsets against the outputs, shard by shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eoscheck.audit.checks import offsets as module
from eoscheck.audit.checks.joined import Joined, join
from eoscheck.audit.checks.offsets import Standings, check_offsets, merge, stand
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.findings import Code
from eoscheck.audit.multiplicity import Bounds
from tests.unit.audit.topics import INPUT, OUTPUT, Row, Topic, below, line, offsets, records

REMOVED = ["records of receipts-0 below offset 5 were removed"]


def joined(
    output: Topic, source: Topic, before: Mapping[int, int], bounds: Bounds | None = None
) -> Joined:
    inputs = records(INPUT, source)
    return join(records(OUTPUT, output), inputs, due=below(inputs, before), bounds=bounds)


def check(
    output: Topic,
    source: Topic,
    before: Mapping[int, int],
    after: Mapping[int, int] | None = None,
    **more: Any,
) -> Checked:
    after = before if after is None else after
    standings = stand(joined(output, source, before, more.pop("bounds", None)), after=after)
    return judge(standings, before, after, **more)


def judge(
    standings: Standings, before: Mapping[int, int], after: Mapping[int, int] | None, **more: Any
) -> Checked:
    more = {"topic": INPUT, "group": "app", "limit": 10, **more}
    return check_offsets(standings, before=before, after=after, **more)


def found(checked: Checked, code: Code) -> list[Anomaly]:
    (one,) = [each for each in checked.found if each.code == code]
    assert one.total == len(one.anomalies)
    return one.anomalies


ahead = partial(found, code=Code.OFFSET_AHEAD)
behind = partial(found, code=Code.OFFSET_BEHIND)


def test_an_offset_above_the_last_output_is_ahead_once_for_its_partition() -> None:
    source = {0: line(*range(10)), 1: line(*range(10, 20))}
    output = {0: line(*range(6), *range(10, 20))}
    checked = check(output, source, {0: 9, 1: 10})
    (anomaly,) = ahead(checked)
    assert (anomaly.place.topic, anomaly.place.partition) == (INPUT, 0)
    assert anomaly.offsets == [6, 8]
    assert anomaly.facts == {"committed": 9, "outputs_up_to": 5, "missing": 3}
    assert anomaly.detail == (
        "'app' has committed offset 9, but outputs end with offset 5: 3 inputs have none"
    )
    assert checked.counts["claimed_without_output"] == 3
    assert behind(checked) == []


def test_a_loss_with_outputs_after_it_is_not_ahead() -> None:
    assert ahead(check({0: line(0, 1, 4)}, {0: line(*range(5))}, {0: 5})) == []


def test_one_lost_input_at_the_very_end_is_ahead_by_one() -> None:
    (anomaly,) = ahead(check({0: line(0, 1)}, {0: line(0, 1, 2)}, {0: 3}))
    assert anomaly.offsets == [2]
    assert anomaly.detail.endswith("outputs end with offset 1: 1 input has none")


def test_where_no_output_is_there_at_all_it_says_so() -> None:
    (anomaly,) = ahead(check({}, {0: line(*range(4))}, {0: 4}))
    assert anomaly.facts == {"committed": 4, "outputs_up_to": None, "missing": 4}
    assert "no output is there" in anomaly.detail


def test_what_lies_above_the_offset_is_not_claimed() -> None:
    checked = check({0: line(0, 1)}, {0: line(*range(9))}, {0: 2})
    assert ahead(checked) == behind(checked) == []


def test_holes_that_control_records_leave_are_no_inputs() -> None:
    source = {0: [Row(1, offset=0), Row(2, offset=7)]}
    assert ahead(check({0: line(1, 2)}, source, {0: 9})) == []


def test_a_copy_that_is_not_due_yet_takes_nothing_from_the_one_that_is() -> None:
    assert ahead(check({0: line(7)}, {0: line(7, 8, 7)}, {0: 1})) == []
    (anomaly,) = ahead(check({0: line(7, 8)}, {0: line(7, 8, 7)}, {0: 3}))
    assert anomaly.offsets == [2]


def test_inputs_without_outputs_are_neither_missing_nor_proof() -> None:
    source = {0: line(*range(5))}
    none = Bounds(np.array([1, 1, 1, 0, 0], np.int32), np.array([1, 1, 1, 0, 0], np.int32))
    assert ahead(check({0: line(0, 1, 2)}, source, {0: 5}, bounds=none)) == []
    (anomaly,) = ahead(check({0: line(0, 1)}, source, {0: 5}, bounds=none))
    assert anomaly.offsets == [2]


def test_several_outputs_of_one_input_must_all_be_there() -> None:
    two = Bounds(np.full(2, 2, np.int32), np.full(2, 2, np.int32))
    (anomaly,) = ahead(check({0: line(0, 0, 1)}, {0: line(0, 1)}, {0: 2}, bounds=two))
    assert anomaly.offsets == [1]
    assert ahead(check({0: line(0, 0, 1, 1)}, {0: line(0, 1)}, {0: 2}, bounds=two)) == []


def test_outputs_that_may_have_been_removed_make_it_unknown() -> None:
    checked = check({0: line(0)}, {0: line(0, 1)}, {0: 2}, output_gaps=REMOVED)
    assert [u.subject for u in checked.unknowns] == [Code.OFFSET_AHEAD]
    assert not [f for f in checked.found if f.code == Code.OFFSET_AHEAD]
    complete = check({0: line(0, 1)}, {0: line(0, 1)}, {0: 2}, output_gaps=REMOVED)
    assert complete.unknowns == []


def test_outputs_of_inputs_at_or_above_the_later_offset_are_read_again() -> None:
    checked = check({0: line(0, 1, 2, 3)}, {0: line(*range(6))}, {0: 2}, {0: 2})
    (anomaly,) = behind(checked)
    assert anomaly.place == (INPUT, 0, 2)
    assert anomaly.offsets == [2, 3]
    assert anomaly.facts == {"committed": 2, "outputs_up_to": 3, "reread": 2}
    assert anomaly.detail.endswith("2 inputs at or above it have outputs: they will be read again")
    assert checked.counts["to_be_reread"] == 2


def test_a_subject_at_work_between_both_looks_at_its_offsets_is_not_behind() -> None:
    """Its outputs of 2 and 3 were read after A, and their offsets were committed before B."""
    assert behind(check({0: line(0, 1, 2, 3)}, {0: line(*range(6))}, {0: 2}, {0: 4})) == []


def test_a_second_copy_in_the_input_is_not_read_again_because_the_first_one_has_its_output() -> (
    None
):
    assert behind(check({0: line(7, 8)}, {0: line(7, 8, 7)}, {0: 2})) == []
    (anomaly,) = behind(check({0: line(7, 8, 7)}, {0: line(7, 8, 7)}, {0: 2}))
    assert anomaly.offsets == [2]


def test_a_double_below_the_offset_is_a_duplicate_and_not_behind() -> None:
    assert behind(check({0: line(7, 7, 8)}, {0: line(7, 8, 9)}, {0: 2})) == []


def test_a_partition_without_any_offset_is_not_judged() -> None:
    checked = check({0: line(0, 1)}, {0: line(0), 3: line(1)}, {0: 1})
    assert ahead(checked) == behind(checked) == []


def test_offsets_that_cannot_be_told_after_the_read_make_behind_unknown_and_ahead_is_judged() -> (
    None
):
    shard = joined({0: line(0)}, {0: line(0, 1)}, {0: 2})
    checked = judge(stand(shard, after=None), {0: 2}, None)
    assert [u.subject for u in checked.unknowns] == [Code.OFFSET_BEHIND]
    assert len(ahead(checked)) == 1


def test_offsets_that_only_inform_are_not_judged() -> None:
    standings = stand(joined({0: line(1)}, {0: line(0, 1)}, {0: 1}), after={0: 0})
    assert judge(standings, {0: 1}, {0: 0}, informational=True) == Checked()


@pytest.mark.parametrize(("ends", "judged"), [({0: 3}, True), ({0: 2}, False), ({}, False)])
def test_an_input_that_was_not_read_up_to_the_offset_shows_no_tail(
    ends: dict[int, int], judged: bool
) -> None:
    """A range that stops before it, or a sample: there may be outputs of later inputs."""
    checked = check({0: line(0)}, {0: line(0, 1, 2)}, {0: 3}, ends=ends)
    assert len(ahead(checked)) == judged


def test_all_partitions_are_counted_and_the_first_of_them_are_shown() -> None:
    source = {number: line(number) for number in range(5)}
    standings = stand(joined({}, source, dict.fromkeys(range(5), 1)), after={})
    (one, _other) = judge(standings, dict.fromkeys(range(5), 1), {}, limit=2).found
    assert one.total == 5
    assert [a.place.partition for a in one.anomalies] == [0, 1]


def test_more_missing_ones_than_are_kept_are_counted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    source = {0: line(*range(40))}
    shards = shards_of({0: line(0, 1)}, source, {0: 40}, {0: 40}, 4)
    (anomaly,) = ahead(judge(merge(shards), {0: 40}, {0: 40}))
    assert anomaly.facts["missing"] == 38
    assert anomaly.offsets == [2, 39]


def shards_of(
    output: Topic, source: Topic, before: Mapping[int, int], after: Mapping[int, int], number: int
) -> list[Standings]:
    """By the identity modulo `number`: offsets stay what they are."""

    def part(topic: Topic, shard: int) -> Topic:
        return {
            partition: [
                Row(row.identity, offset=offset)
                for row, offset in zip(rows, offsets(rows), strict=True)
                if int(row.identity) % number == shard
            ]
            for partition, rows in topic.items()
        }

    return [
        stand(joined(part(output, shard), part(source, shard), before), after=after)
        for shard in range(number)
    ]


IDENTITIES = st.lists(st.integers(0, 12), max_size=10)
TOPICS = st.fixed_dictionaries({0: IDENTITIES, 1: IDENTITIES})
LIMITS = st.fixed_dictionaries({0: st.integers(0, 10), 1: st.integers(0, 10)})


def naive(
    output: Topic, source: Topic, before: Mapping[int, int], after: Mapping[int, int]
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Offsets by partition: (missing tails, to be read again)."""
    outputs = Counter(row.identity for rows in output.values() for row in rows)
    placed = [(n, o, row.identity) for n, rows in source.items() for o, row in enumerate(rows)]
    due = Counter(identity for n, o, identity in placed if o < before[n])
    under = Counter(identity for n, o, identity in placed if o < after[n])
    tails: dict[int, list[int]] = {}
    again: dict[int, list[int]] = {}
    for number in source:
        for offset, identity in reversed([(o, i) for n, o, i in placed if n == number]):
            if offset < before[number]:
                if outputs[identity] >= due[identity]:
                    break
                tails.setdefault(number, []).insert(0, offset)
        for n, offset, identity in placed:
            if n == number and offset >= after[n] and outputs[identity] > under[identity]:
                again.setdefault(number, []).append(offset)
    return tails, again


@pytest.mark.thorough
@settings(max_examples=300)
@given(output=TOPICS, source=TOPICS, before=LIMITS, more=LIMITS, shards=st.integers(1, 4))
def test_any_number_of_shards_tells_what_a_plain_walk_tells(
    output: dict[int, Sequence[int]],
    source: dict[int, Sequence[int]],
    before: dict[int, int],
    more: dict[int, int],
    shards: int,
) -> None:
    after = {number: before[number] + more[number] for number in before}
    outputs = {number: line(*each) for number, each in output.items()}
    inputs = {number: line(*each) for number, each in source.items()}
    tails, again = naive(outputs, inputs, before, after)
    parts = shards_of(outputs, inputs, before, after, shards)
    for order in (parts, parts[::-1]):
        checked = judge(merge(order), before, after)
        shown = {a.place.partition: (a.offsets, a.facts["missing"]) for a in ahead(checked)}
        assert shown == {
            n: (each if len(each) == 1 else [each[0], each[-1]], len(each))
            for n, each in tails.items()
        }
        shown = {a.place.partition: (a.offsets, a.facts["reread"]) for a in behind(checked)}
        assert shown == {
            n: (each if len(each) == 1 else [each[0], each[-1]], len(each))
            for n, each in again.items()
        }
