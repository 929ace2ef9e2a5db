"""Single rules of the checks that random data seldom reaches."""

from __future__ import annotations

import msgspec
import pytest

from eoscheck.audit.checks.identities import (
    check_acknowledged,
    check_duplicates,
    check_losses,
    check_phantoms,
)
from eoscheck.audit.checks.joined import Acknowledged, join
from eoscheck.audit.checks.outcome import Cause, Checked, Doubt, Found
from eoscheck.audit.checks.results import check_final_state, check_running_sum
from eoscheck.audit.checks.transactions import (
    CoordinatorView,
    OpenAtCut,
    check_open_transactions,
)
from eoscheck.audit.findings import Code
from eoscheck.audit.plan import wanted_of_table
from eoscheck.audit.readers.evaluate import Evaluator
from eoscheck.audit.rows.records import Place, Records
from eoscheck.history.events import Identity
from tests.unit.audit.topics import (
    INPUT,
    OUTPUT,
    Row,
    Topic,
    check_all,
    line,
    records,
    store,
    wanted,
)

SUMS = wanted(group="key", number="json:/n")
RESULTS = wanted(number="json:/n")
REMOVED = ["records of receipts-0 below offset 5 were removed"]


def total(checked: Checked) -> int:
    return sum(found.total for found in checked.found)


def causes(checked: Checked) -> list[set[Cause]]:
    return [set(found.causes) for found in checked.found]


def payments(*amounts: int, key: str = "a") -> Topic:
    return {0: [Row(number, key, amount) for number, amount in enumerate(amounts)]}


def receipts(*results: tuple[int, int]) -> Topic:
    return {0: [Row(number, number=result) for number, result in results]}


def test_all_are_counted_and_the_first_of_them_are_shown() -> None:
    output = {1: line(*range(50), *range(50)), 0: line(*range(50, 60), *range(50, 60))}
    checked = check_duplicates(join(records(OUTPUT, output)), limit=3)
    assert total(checked) == 60
    places = [(a.place.partition, a.offsets) for a in checked.found[0].anomalies]
    assert places == [(0, [0, 10]), (0, [1, 11]), (0, [2, 12])]


def test_one_identity_a_thousand_times_is_one_finding_with_its_first_hundred_offsets() -> None:
    joined = join(records(OUTPUT, {0: line(*[7] * 1000)}))
    (anomaly,) = check_duplicates(joined, limit=10).found[0].anomalies
    assert anomaly.detail == "committed 1000 times, expected once"
    assert anomaly.offsets == list(range(100))


def test_an_output_that_may_be_incomplete_loses_nothing_for_sure() -> None:
    joined = join(
        records(OUTPUT, {0: line(1)}), records(INPUT, {0: line(1, 2)}), output_gaps=REMOVED
    )
    checked = check_losses(joined, came_out={}, limit=10)
    assert total(checked) == 0
    assert checked.unknowns[0].subject == Code.LOST
    assert REMOVED[0] in checked.unknowns[0].reason
    complete = join(
        records(OUTPUT, {0: line(1, 2)}), records(INPUT, {0: line(1, 2)}), output_gaps=REMOVED
    )
    assert not check_losses(complete, came_out={}, limit=10).unknowns


def test_an_input_that_may_be_incomplete_makes_phantoms_unknown_and_doubles_still_doubles() -> None:
    joined = join(
        records(OUTPUT, {0: line(1, 2, 2)}), records(INPUT, {0: line(1)}), input_gaps=REMOVED
    )
    phantoms = check_phantoms(joined, limit=10)
    assert (total(phantoms), len(phantoms.unknowns)) == (0, 1)
    assert total(check_duplicates(joined, limit=10)) == 1


def acknowledged(*identities: Identity) -> Acknowledged:
    rows = list(range(len(identities)))
    return Acknowledged(identities=identities, partitions=[0 for _ in rows], offsets=rows)


def test_what_the_load_was_told_is_written_must_be_in_the_input() -> None:
    output, source = records(OUTPUT, {}), records(INPUT, {0: line(1, "b")})
    joined = join(output, source, acknowledged=acknowledged(1, "b", "c", 4))
    (found,) = check_acknowledged(joined, limit=1).found
    assert found.total == 2
    assert [(a.identity, a.place) for a in found.anomalies] == [("c", Place(INPUT, 0, 2))]
    gone = join(output, source, acknowledged=acknowledged("c"), input_gaps=REMOVED)
    assert total(check_acknowledged(gone, limit=1)) == 0
    assert check_acknowledged(gone, limit=1).unknowns


def reordered(output: Topic, source: Topic) -> Found:
    (found,) = (f for f in check_all(output, source).found if f.code is Code.REORDERED)
    return found


def test_numbers_that_are_written_in_two_ways_are_in_order_either_way() -> None:
    (found,) = (
        f for f in check_all({0: line("o-7", "o-07", "o-8")}).found if f.code is Code.REORDERED
    )
    assert found.total == 0


def test_a_second_copy_elsewhere_or_later_is_a_duplicate_and_no_change_of_order() -> None:
    source = {0: line(0, 1, 2, 3)}
    assert not reordered({0: line(0, 1, 2, 1, 2, 3)}, source).total
    assert not reordered({0: line(0, 2, 3), 1: line(1, 2)}, source).total


def test_one_displaced_output_is_one_finding_on_either_side() -> None:
    source = {0: line(*range(1000))}
    found = reordered({0: line(900, *range(900), *range(901, 1000))}, source)
    assert (found.total, found.anomalies[0].offsets) == (1, [0])
    assert found.anomalies[0].detail == (
        "output of input 900 committed before that of input 0 of payments-0"
    )
    found = reordered({0: line(*range(1, 900), 0, *range(900, 1000))}, source)
    assert (found.total, found.anomalies[0].offsets) == (1, [899])
    assert found.anomalies[0].facts["displaced"] == "late"


def sums(output: Topic, source: Topic) -> Checked:
    return check_running_sum(
        join(records(OUTPUT, output, RESULTS), records(INPUT, source, SUMS)), limit=10
    )


def test_a_state_that_counted_replayed_inputs_twice_is_excused_as_reprocessing() -> None:
    # 1 and 2 were in the state already when they were read again; their first outputs were not
    # written.
    replayed = sums(receipts((0, 5), (1, 24), (2, 31), (3, 35)), payments(5, 6, 7, 4))
    assert causes(replayed) == [{Cause.REPROCESSED}]
    doubled = sums(receipts((0, 5), (0, 10), (1, 16)), payments(5, 6))
    assert causes(doubled) == [{Cause.REPROCESSED}]
    later = sums(receipts((0, 6), (1, 7), (2, 14), (3, 17)), payments(5, 1, 2, 3))
    assert sorted(map(len, causes(later))) == [0, 1]  # off by 1 for no reason, then 2 + 3 twice
    lost_update = sums(receipts((0, 5), (1, 6)), payments(5, 6))
    assert causes(lost_update) == [set()]
    after_a_loss = sums(receipts((0, 5), (2, 12)), payments(5, 6, 7))
    assert causes(after_a_loss) == [{Cause.LOST}]


def test_an_error_that_goes_away_and_comes_back_is_two_findings() -> None:
    checked = sums(receipts((0, 2), (1, 3), (2, 3), (3, 9)), payments(1, 1, 1, 1))
    assert total(checked) == 2  # off by 1 twice in a row, right, off by 5
    assert checked.counts["wrong_results"] == 3


@pytest.mark.thorough
def test_a_hundred_thousand_different_errors_of_one_key_are_judged_without_squaring_the_work() -> (
    None
):
    rows = 100_000
    results = [(number, (number * 7919) % 1_000_003) for number in range(rows)]
    checked = sums(receipts(*results), payments(*[1] * rows))
    assert checked.counts["wrong_results"] > rows / 2  # all of them in a second, or a time-out


@pytest.mark.parametrize(
    ("source", "gaps", "words"),
    [
        ({0: [Row(1, number=None)]}, [], "have no key or no amount"),
        ({0: [Row(1, number=1)]}, REMOVED, "is not complete"),
        ({0: [Row(1, number=2**62), Row(2, number=2**62)]}, [], "do not fit in 64 bits"),
    ],
)
def test_sums_that_cannot_be_made_are_unknown(source: Topic, gaps: list[str], words: str) -> None:
    joined = join(
        records(OUTPUT, receipts((1, 1)), RESULTS), records(INPUT, source, SUMS), input_gaps=gaps
    )
    checked = check_running_sum(joined, limit=10)
    assert (total(checked), len(checked.unknowns)) == (0, 1)
    assert words in checked.unknowns[0].reason


def table(*entries: tuple[Identity, object]) -> Records:
    """The last of each key counts; None deletes it."""
    found = store("balances", {}, wanted_of_table("json:/n"))
    contents = [
        (str(key).encode(), None if value is None else msgspec.json.encode({"n": value}), None)
        for key, value in entries
    ]
    places = list(range(len(entries)))
    Evaluator("balances", found.wanted, sink=found).add([0] * len(places), places, contents)
    return found.records(0)


def final_state(source: Topic, entries: Records, **joining: object) -> Checked:
    """All outputs are there: only the table may be wrong."""
    outputs = {0: line(*(row.identity for rows in source.values() for row in rows))}
    joined = join(
        records(OUTPUT, outputs),
        records(INPUT, source, SUMS),
        **joining,  # type: ignore[arg-type]
    )
    return check_final_state(joined, table=entries, gaps=[], limit=10)


def offsets_of(checked: Checked) -> list[int]:
    return [a.place.offset for f in checked.found for a in f.anomalies]


def reasons(checked: Checked) -> list[str]:
    return [each.said().reason for each in checked.unknowns if isinstance(each, Doubt)]


def test_only_due_inputs_are_in_a_balance_and_keys_at_work_are_not_judged() -> None:
    source = {0: [Row(0, "a", 5), Row(1, "b", 5), Row(2, "a", 3)]}
    inputs = records(INPUT, source, SUMS)
    due, pending = inputs.offset < 2, inputs.offset >= 2
    idle = final_state(source, table(("a", 5), ("b", 5)), due=due)
    assert (total(idle), len(idle.unknowns)) == (0, 0)
    at_work = final_state(source, table(("a", 8), ("b", 6)), due=due, pending=pending)
    assert offsets_of(at_work) == [1]
    assert "1 keys of balances are not judged" in reasons(at_work)[0]
    unsettled = final_state(source, table(("a", 8), ("b", 6)), due=due, settled=False)
    assert (total(unsettled), len(unsettled.unknowns)) == (0, 1)


def test_a_balance_that_cannot_be_read_is_not_judged_and_others_are() -> None:
    source = {0: [Row(0, "a", 5), Row(1, "b", 5)]}
    checked = final_state(source, table(("a", 5), ("a", "much"), ("b", 4)))
    assert offsets_of(checked) == [2]
    assert "1 keys of balances are not judged" in reasons(checked)[0]


def test_the_last_value_of_a_key_counts_whatever_stood_there_before() -> None:
    source = {0: [Row(0, "a", 5), Row(1, "7", 2)]}
    assert total(final_state(source, table(("a", "much"), (7, 9), ("a", 5), ("7", 2)))) == 0
    assert offsets_of(final_state(source, table(("a", 5), ("7", 2), ("a", 4)))) == [2]


def test_a_balance_that_is_off_by_a_run_of_its_inputs_is_excused_as_reprocessing() -> None:
    source = payments(5, 6, 7, 4)
    assert causes(final_state(source, table(("a", 22 + 6 + 7)))) == [{Cause.REPROCESSED}]
    assert causes(final_state(source, table(("a", 22 + 5 + 7)))) == [set()]
    assert causes(final_state(source, table(("a", 22 - 6)))) == [set()]


def test_a_balance_that_counted_inputs_again_in_each_of_several_recoveries_is_excused() -> None:
    """The outputs show all but the last of them; what none of them explains is no excuse."""
    source = payments(5, 60, 700, 40, 9)
    # Off by 60 from the second on, by another 40 from the fourth on.
    output = receipts((0, 5), (1, 65 + 60), (2, 765 + 60), (3, 805 + 60 + 40), (4, 814 + 100))

    def judged(balance: int, outputs: Topic) -> list[set[Cause]]:
        joined = join(records(OUTPUT, outputs, RESULTS), records(INPUT, source, SUMS))
        checked = check_final_state(joined, table=table(("a", balance)), gaps=[], limit=10)
        return causes(checked)

    assert judged(814 + 100, output) == [{Cause.REPROCESSED}]
    assert judged(814 + 100 + 9, output) == [{Cause.REPROCESSED}], "and once more after the last"
    assert judged(814 + 100 + 1, output) == [set()]
    unexplained = receipts((0, 5), (1, 65), (2, 765), (3, 805 - 3), (4, 814 - 3))
    assert judged(814 - 3, unexplained) == [set()]


def test_a_deleted_or_absent_balance_of_nothing_is_right() -> None:
    source = {0: [Row(0, "a", 5), Row(1, "a", -5), Row(2, "b", 1), Row(3, "b", -1)]}
    assert total(final_state(source, table(("a", None)))) == 0
    wrong = final_state({0: [Row(0, "a", 5)]}, table(("a", None)))
    assert [a.detail for f in wrong.found for a in f.anomalies] == [
        "deleted, expected 5, the sum of 1 inputs"
    ]


@pytest.mark.parametrize(
    ("identities", "doubt"),
    [
        (["o-1", "o-2", "o-4"], False),
        (["o-1", "o-2", "p-9"], False),  # a source with one record, among others that have more
        (["o-1", "o-9", "o-99"], True),
        (["a-1", "b-2", "c-3"], True),  # as random identities are
        (["o-1", "o-2", "x"], True),
        ([1, 2, 3, 4000], True),
        ([], False),
    ],
)
def test_holes_are_looked_for_only_where_most_of_a_sequence_is_there(
    identities: list[Identity], doubt: bool
) -> None:
    checked = check_all({0: line(*identities)})
    assert any(each.subject == Code.GAP for each in checked.unknowns) == doubt


def held(coordinator: CoordinatorView | None) -> OpenAtCut:
    return OpenAtCut(
        place=Place(OUTPUT, 1, 40),
        producer_id=9,
        epoch=2,
        last_timestamp_ms=0,
        coordinator=coordinator,
    )


def known(*, overdue: bool) -> CoordinatorView:
    return CoordinatorView(
        transactional_id="app-0",
        state="Ongoing",
        epoch=2,
        started_ms=0,
        timeout_ms=1000,
        overdue=overdue,
    )


def test_a_transaction_hangs_when_it_is_overdue_or_nobody_knows_it_and_else_is_unknown() -> None:
    transactions = [held(None), held(known(overdue=True)), held(known(overdue=False))]
    checked = check_open_transactions(transactions, patience_s=5, sweep_ms=500, limit=10)
    assert total(checked) == 2
    assert [a.offsets for a in checked.found[0].anomalies] == [[40], [40]]
    assert [unknown.subject for unknown in checked.unknowns] == ["receipts-1@40"]
    assert "'app-0' was still open after 5 s" in checked.unknowns[0].reason


def test_holes_beyond_what_every_partition_shows_are_no_gaps_while_the_writer_is_at_work() -> None:
    """Number 7 may lie beyond the cut of partition 1, of which less was read."""
    output = {0: line(1, 3, 4, 6, 8), 1: line(2, 5)}
    settled = [f for f in check_all(output).found if f.code is Code.GAP]
    assert [found.total for found in settled] == [1]
    at_work = check_all(output, settled=False)
    assert [found.total for found in at_work.found if found.code is Code.GAP] == [0]
    assert any("may be beyond the cut" in reason for reason in reasons(at_work))
    early = {0: line(1, 3, 4, 6, 8), 1: line(9)}
    found = [f for f in check_all(early, settled=False).found if f.code is Code.GAP]
    assert [each.total for each in found] == [0], "partition 1 may have had 2, 5 and 7 before"
    sure = check_all({0: line(1, 3, 6), 1: line(0, 4, 7)}, settled=False)
    assert [each.total for each in sure.found if each.code is Code.GAP] == [2]
