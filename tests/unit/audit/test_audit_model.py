"""Random outputs against the naive catalogue: the checks find what it finds, and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eoscheck.audit.checks.identities import check_duplicates, check_losses, check_phantoms
from eoscheck.audit.checks.joined import join
from eoscheck.audit.checks.order import check_order, displaced
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.checks.results import check_running_sum
from eoscheck.audit.checks.sequence import Sequences, check_gaps, find_sequences
from eoscheck.audit.records import Wanted
from tests.unit.audit import naive
from tests.unit.audit.topics import INPUT, OUTPUT, Row, Topic, below, records

EXAMPLES = settings(max_examples=300, deadline=None)
EVERY = 10_000


def identities() -> st.SearchStrategy[int | str]:
    return st.one_of(
        st.integers(-3, 12), st.sampled_from(["a", "b-1", "b-2", "b-10", "ü", "", str(2**70)])
    )


def rows(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[Row]]:
    row = st.builds(
        Row, identity=identities(), key=st.sampled_from(["k1", "k2", "7"]), number=numbers
    )
    return st.lists(row, max_size=9).flatmap(_with_holes)


def _with_holes(found: list[Row]) -> st.SearchStrategy[list[Row]]:
    """Control records, aborted ones and compaction leave holes in the offsets."""
    steps = st.lists(st.integers(1, 3), min_size=len(found), max_size=len(found))
    return steps.map(
        lambda taken: [
            Row(row.identity, row.key, row.number, sum(taken[: index + 1]) - 1)
            for index, row in enumerate(found)
        ]
    )


def topics(numbers: st.SearchStrategy[int] | None = None) -> st.SearchStrategy[Topic]:
    return st.dictionaries(st.integers(0, 2), rows(numbers or st.just(0)), max_size=3)


def anomalies(checked: Checked) -> list[Anomaly]:
    return [anomaly for found in checked.found for anomaly in found.anomalies]


def at(topic: Topic, identity: object) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for found, partition, offset in naive.placed(topic):
        if str(found) == str(identity):
            places.setdefault(partition, []).append(offset)
    return places


def check_places(found: list[Anomaly], topic: Topic, wanted: set[object]) -> None:
    """Each anomaly stands at all places that one of the wanted identities has in its partition."""
    expected = sorted(
        (min(at(topic, identity)), at(topic, identity)[min(at(topic, identity))])
        for identity in wanted
    )
    assert sorted((a.place.partition, a.offsets) for a in found) == expected


@EXAMPLES
@given(output=topics(), source=topics())
def test_duplicates_and_phantoms_are_those_of_the_naive_model(output: Topic, source: Topic) -> None:
    joined = join(records(OUTPUT, output), records(INPUT, source))
    doubled = check_duplicates(joined, limit=EVERY)
    expected = naive.duplicates(output, source)
    check_places(anomalies(doubled), output, {identity for identity, _surplus in expected})
    assert doubled.counts["surplus_outputs"] == sum(surplus for _identity, surplus in expected)
    strange = check_phantoms(joined, limit=EVERY)
    check_places(anomalies(strange), output, set(naive.phantoms(output, source)))


@EXAMPLES
@given(output=topics())
def test_without_an_input_each_identity_is_expected_once(output: Topic) -> None:
    joined = join(records(OUTPUT, output))
    doubled = check_duplicates(joined, limit=EVERY)
    check_places(anomalies(doubled), output, {i for i, _n in naive.duplicates(output, None)})
    assert not check_phantoms(joined, limit=EVERY).found


@EXAMPLES
@given(
    output=topics(),
    source=topics(),
    committed=st.dictionaries(st.integers(0, 2), st.integers(0, 20)),
)
def test_losses_are_those_of_the_naive_model(
    output: Topic, source: Topic, committed: dict[int, int]
) -> None:
    inputs = records(INPUT, source)
    joined = join(records(OUTPUT, output), inputs, due=below(inputs, committed))
    lost = check_losses(joined, limit=EVERY)
    expected = naive.losses(output, source, committed)
    due_places = [
        [place for place in naive.placed(source) if place[0] == identity]
        for identity, _missing, _tail in expected
    ]
    first_due = sorted(
        min((p, o) for _i, p, o in places if o < committed.get(p, 0)) for places in due_places
    )
    assert sorted(a.place[1:] for a in anomalies(lost)) == first_due
    assert lost.counts["missing_outputs"] == sum(missing for _i, missing, _t in expected)
    assert sum(a.facts["tail"] for a in anomalies(lost)) == sum(tail for *_rest, tail in expected)
    unsettled = join(records(OUTPUT, output), inputs, due=below(inputs, committed), settled=False)
    certain = check_losses(unsettled, limit=EVERY)
    assert len(anomalies(certain)) == sum(not tail for *_rest, tail in expected)
    assert bool(certain.unknowns) == any(tail for *_rest, tail in expected)


@EXAMPLES
@given(output=topics(), source=topics(), by_key=st.booleans())
def test_reordered_outputs_are_a_smallest_set_that_explains_the_order(
    output: Topic, source: Topic, by_key: bool
) -> None:
    wanted = Wanted(identity="json:/id", group="key")
    joined = join(records(OUTPUT, output), records(INPUT, source, wanted))
    found = check_order(joined, order="key" if by_key else "partition", limit=EVERY)
    displaced_at = {(a.place.partition, a.place.offset) for a in anomalies(found)}
    fewest = 0
    for stream in naive.streams(output, source, by_key=by_key):
        kept = [pos for partition, pos, offset in stream if (partition, offset) not in displaced_at]
        assert kept == sorted(kept)
        fewest += len(stream) - naive.longest_rise([pos for _p, pos, _o in stream])
    assert sum(each.total for each in found.found) == len(displaced_at) == fewest


@EXAMPLES
@given(
    positions=st.permutations(list(range(9))),
    streams=st.lists(st.integers(0, 2), min_size=9, max_size=9),
)
def test_a_displaced_row_stands_on_the_wrong_side_of_the_one_it_is_shown_with(
    positions: list[int], streams: list[int]
) -> None:
    for moved in displaced(np.array(streams), np.array(positions)):
        assert streams[moved.row] == streams[moved.other]
        assert moved.late == (moved.other < moved.row)
        assert moved.late == (positions[moved.other] > positions[moved.row])


@EXAMPLES
@given(numbers=st.lists(st.integers(-5, 30), max_size=25), split=st.integers(1, 3))
def test_gaps_are_the_holes_between_the_numbers_that_are_there(
    numbers: list[int], split: int
) -> None:
    output = {
        partition: [Row(number) for number in numbers[partition::split]]
        for partition in range(split)
    }
    joined = join(records(OUTPUT, output, Wanted(identity="json:/id", sequence=True)))
    every = Sequences(judged=joined.output.code >= 0, doubt=None)
    found = anomalies(check_gaps(joined, sequences=every, limit=EVERY))
    holes = {(a.facts["first_missing"], a.facts["last_missing"]) for a in found}
    assert holes == naive.holes(output)
    for anomaly in found:
        assert anomaly.facts["last_missing"] + 1 in [
            row.identity
            for row, offset in zip(
                output[anomaly.place.partition],
                range(len(output[anomaly.place.partition])),
                strict=True,
            )
            if offset == anomaly.place.offset
        ]
    present, span = len(set(numbers)), max(numbers, default=0) - min(numbers, default=0) + 1
    dense = not numbers or (present >= 2 and present * 2 >= span)
    assert (find_sequences(joined).doubt is None) == dense


@EXAMPLES
@given(output=topics(st.integers(-2, 6)), source=topics(st.integers(-2, 3)))
def test_wrong_results_are_those_of_the_naive_model(output: Topic, source: Topic) -> None:
    joined = join(
        records(OUTPUT, output, Wanted(identity="json:/id", number="json:/n")),
        records(INPUT, source, Wanted(identity="json:/id", group="key", number="json:/n")),
    )
    found = check_running_sum(joined, limit=EVERY)
    steps, wrong = naive.wrong_results(output, source)
    assert sum(each.total for each in found.found) == len(anomalies(found)) == steps
    assert (
        found.counts["wrong_results"] == wrong == sum(a.facts["outputs"] for a in anomalies(found))
    )
