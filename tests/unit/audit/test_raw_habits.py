"""Torn transactions, and habits that are no anomalies yet, each beside its look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.audit.batches.figures import LongTransaction
from eoscheck.audit.batches.view import RawView, Tenure
from eoscheck.audit.checks.habits import Habits, check_habits
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.transactions import Attempts, check_atomic, check_torn
from eoscheck.audit.findings import Code, HazardCode, TransactionStatistics
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.records import Place
from eoscheck.cluster.transactional_ids import TransactionalId
from tests.unit.audit.raw_logs import Log, columns


def outcomes_of(topic: str, *logs: Log) -> Any:
    raw = RawView(topic, limit=10)
    for partition, log in enumerate(logs):
        raw.take(
            partition,
            columns(log.batches),
            log.aborted,
            high_watermark=100,
            last_stable_offset=100,
        )
    assert raw.checked().found == []
    return raw.outcomes()


def ended(*steps: tuple[int, int, bool]) -> Log:
    """Transactions of producer 1: data epoch, marker epoch, committed."""
    log = Log()
    for epoch, marker, committed in steps:
        log.data(1, epoch)
        (log.commit if committed else log.abort)(1, marker)
    return log


def torn(*outcomes: Any) -> list[tuple[str, int, int, Any]]:
    checked = check_torn(outcomes, limit=10)
    return [
        (*each.place, each.facts["producer_epoch"])
        for found in checked.found
        for each in found.anomalies
    ]


def test_a_transaction_committed_here_and_aborted_there_is_torn() -> None:
    here = ended((3, 4, True), (4, 5, True), (5, 6, True))
    there = ended((3, 4, True), (4, 5, False), (5, 6, True))
    assert torn(outcomes_of("out", here, there)) == [("out", 1, 2, 4)]
    assert torn(outcomes_of("out", here), outcomes_of("changelog", there)) == [
        ("changelog", 0, 2, 4)
    ]
    (found,) = check_torn([outcomes_of("a", here), outcomes_of("b", there)], limit=10).found
    assert found.anomalies[0].facts["committed_in"] == ["a-0"]
    assert found.anomalies[0].facts["aborted_in"] == ["b-0"]
    assert found.anomalies[0].detail.endswith("committed in a-0 and aborted in b-0")


def test_an_older_client_s_epoch_spans_transactions_with_any_outcomes() -> None:
    # Epoch 3 is used again and again; the last of its transactions is fenced: marker 4.
    here = ended((3, 3, True), (3, 3, False), (3, 3, True))
    there = ended((3, 3, False), (3, 4, False))
    assert torn(outcomes_of("out", here, there)) == []


def test_transactions_of_other_producers_and_epochs_are_others() -> None:
    other = Log()
    other.data(2, 3)
    other.abort(2, 4)
    here, there = ended((3, 4, True)), ended((4, 5, False), (2, 3, False))
    assert torn(outcomes_of("out", here, there, other)) == []


def test_one_that_did_not_write_or_did_not_end_there_is_whole() -> None:
    here, there = ended((3, 4, True)), Log()
    there.data(1, 3)
    assert torn(outcomes_of("out", here, there)) == []
    there = Log()
    there.abort(1, 4)  # nothing was written
    assert torn(outcomes_of("out", here, there)) == []


# ---------------------------------------------------------------- identities that belong together


def attempts(*rows: tuple[str | None, str | None, bool]) -> Attempts:
    """Group, identity, committed; offsets in order."""
    return Attempts(
        topic="out",
        group=encode([group for group, _identity, _committed in rows])[0],
        identity=encode([identity for _group, identity, _committed in rows])[0],
        committed=np.array([committed for _g, _i, committed in rows], dtype=np.bool_),
        partition=np.zeros(len(rows), dtype=np.int64),
        offset=np.arange(len(rows), dtype=np.int64),
    )


def atomic(*rows: tuple[str | None, str | None, bool]) -> Checked:
    return check_atomic(attempts(*rows), limit=10)


def test_a_group_that_was_committed_in_part_is_torn() -> None:
    checked = atomic(("g", "a", True), ("g", "b", False), ("h", "c", True), ("g", "d", False))
    (found,) = checked.found
    (anomaly,) = found.anomalies
    assert (found.code, found.total) == (Code.TORN_TRANSACTION, 1)
    assert (anomaly.place.offset, anomaly.offsets) == (1, [1, 3])
    assert anomaly.related["committed"] == [Place("out", 0, 0)]
    assert anomaly.facts == {"outputs": 3, "only_aborted": 2}


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("g", "a", False), ("g", "b", False)],  # aborted whole
        [("g", "a", False), ("g", "b", False), ("g", "b", True), ("g", "a", True)],  # tried again
        [("g", "a", True), ("g", "b", True), ("h", "a", False)],  # another group
        [(None, "a", True), (None, "b", False), ("g", None, False), ("g", "c", True)],
    ],
)
def test_whole_groups_are_silent(rows: Sequence[tuple[str | None, str | None, bool]]) -> None:
    assert atomic(*rows) == Checked()


@given(
    st.lists(st.tuples(st.sampled_from("ghi"), st.sampled_from("abc"), st.booleans()), max_size=30)
)
def test_any_groups_are_judged_as_by_hand(rows: list[tuple[str, str, bool]]) -> None:
    kept: dict[str, dict[str, bool]] = {}
    for group, identity, committed in rows:
        mine = kept.setdefault(group, {})
        mine[identity] = mine.get(identity, False) or committed
    expected = sum(any(g.values()) and not all(g.values()) for g in kept.values())
    assert sum(found.total for found in atomic(*rows).found) == expected


# ---------------------------------------------------------------- habits


def habits(**options: Any) -> Habits:
    given = {
        "topic": "out",
        "statistics": TransactionStatistics(
            topic="out",
            committed=1,
            aborted=0,
            open=0,
            committed_records=1,
            aborted_records=0,
            size={},
            duration_ms={"p50": options.pop("usual", 100.0)},
            lso_lag=0,
        ),
        "longest": [],
        "tenures": [],
        "known": {},
        "sweep_ms": 10_000,
    }
    return Habits(**{**given, **options})


def known(producer_id: int, name: str = "app-1", timeout_ms: int = 60_000) -> TransactionalId:
    return TransactionalId(
        name=name, producer_id=producer_id, epoch=4, timeout_ms=timeout_ms, state="CompleteCommit"
    )


def took(duration_ms: int, producer_id: int = 1) -> LongTransaction:
    return LongTransaction(
        place=Place("out", 0, 7), producer_id=producer_id, duration_ms=duration_ms
    )


def codes(given: Habits) -> list[HazardCode]:
    return [hazard.code for hazard in check_habits(given)]


def test_a_transaction_of_over_half_its_time_out_is_long() -> None:
    (hazard,) = check_habits(habits(longest=[took(31_000), took(5)], known={1: known(1)}))
    assert (hazard.code, hazard.offset) == (HazardCode.LONG_TRANSACTION, 7)
    assert hazard.facts["transactions"] == 1
    assert codes(habits(longest=[took(29_000)], known={1: known(1)})) == []


def test_one_that_cannot_have_lasted_so_long_bears_another_s_times() -> None:
    assert codes(habits(longest=[took(3_600_000)], known={1: known(1)})) == []


def test_without_a_time_out_the_recovery_objective_bounds_a_transaction() -> None:
    assert codes(habits(longest=[took(31_000)])) == []
    assert codes(habits(longest=[took(31_000)], recovery_objective_s=30.0)) == [
        HazardCode.LONG_TRANSACTION
    ]


def test_a_time_out_beyond_the_recovery_objective_is_named_once_for_all_that_have_it() -> None:
    ids = {number: known(number, f"app-{number}") for number in range(3)}
    (hazard,) = check_habits(habits(known=ids, recovery_objective_s=30.0))
    assert hazard.code is HazardCode.TIMEOUT_TOO_LONG
    assert "'app-0' and 2 more is 60000 ms, above the recovery objective of 30 s" in hazard.detail
    assert codes(habits(known=ids, recovery_objective_s=60.0)) == []


def test_a_time_out_near_the_usual_transaction_is_named() -> None:
    assert codes(habits(known={1: known(1, timeout_ms=250)})) == [HazardCode.TIMEOUT_TOO_LONG]
    assert codes(habits(known={1: known(1, timeout_ms=300)})) == []
    # Usual times above every time-out are not the transactions' own.
    assert codes(habits(known={1: known(1, timeout_ms=250)}, usual=9e9)) == []


def tenure(producer_id: int, first: int, last: int, **options: int) -> Tenure:
    return Tenure(
        **{
            "producer_id": producer_id,
            "partition": 0,
            "first_offset": first,
            "last_offset": last,
            "first_epoch": 0,
            **options,
        }
    )


def fresh_names(shape: str = "app-{}") -> dict[int, TransactionalId]:
    uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c{}"
    return {number: known(number, shape.format(uuid.format(number))) for number in range(4)}


def test_fresh_names_one_after_another_are_a_hazard() -> None:
    chain = [tenure(0, 0, 10), tenure(1, 11, 20), tenure(2, 21, 30)]
    (hazard,) = check_habits(habits(tenures=chain, known=fresh_names()))
    assert (hazard.code, hazard.offset) == (HazardCode.FRESH_TRANSACTIONAL_ID, 21)
    assert "3 transactional ids 'app-*' one after another" in hazard.detail


@pytest.mark.parametrize(
    ("tenures", "names"),
    [
        # Side by side: instances, each with a name of its own.
        ([tenure(0, 0, 25), tenure(1, 11, 20), tenure(2, 21, 30)], fresh_names()),
        # Two: perhaps one deployment.
        ([tenure(0, 0, 10), tenure(1, 11, 20)], fresh_names()),
        # In partitions of their own.
        ([tenure(n, 10 * n, 10 * n + 5, partition=n) for n in range(3)], fresh_names()),
        # Names that are used again: their epochs have moved.
        ([tenure(n, 10 * n, 10 * n + 5, first_epoch=2) for n in range(3)], fresh_names()),
        # Names that nobody drew by chance.
        (
            [tenure(n, 10 * n, 10 * n + 5) for n in range(4)],
            {n: known(n, f"orders-facade-{n}") for n in range(4)},
        ),
        # Nobody knows them any more.
        ([tenure(n, 10 * n, 10 * n + 5) for n in range(4)], {}),
    ],
)
def test_names_that_only_look_fresh_are_none(
    tenures: list[Tenure], names: dict[int, TransactionalId]
) -> None:
    assert codes(habits(tenures=tenures, known=names)) == []


def test_names_with_a_clock_s_time_are_fresh_too() -> None:
    names = {n: known(n, f"sink-170000000{n}-0") for n in range(4)}
    chain = [tenure(n, 10 * n, 10 * n + 5) for n in range(4)]
    assert codes(habits(tenures=chain, known=names)) == [HazardCode.FRESH_TRANSACTIONAL_ID]
