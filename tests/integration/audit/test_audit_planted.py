"""Every anomaly that the auditor claims to find, planted on real topics: those, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.audit import AuditReport, AuditSpec, Code, Guarantee, RunningSum, Verdict, run_audit
from eoscheck.audit.rows.shuffle import Budget
from tests.integration.audit.writing import Out, Topics, payment, receipt

Shown = tuple[str, int, list[int], Any]


def audit(topics: Topics, output: str, source: str | None = None, **options: Any) -> AuditReport:
    options = {"id": "json:/id", "patience_s": 2.0, **options}
    return run_audit(
        AuditSpec(output=output, input=source, **options), client_config=topics.client_config
    )


def shown(report: AuditReport) -> list[Shown]:
    """(code, partition, offsets, identity) of each finding."""
    return sorted(
        (found.code.value, found.partition, found.offsets, found.identity)
        for found in report.findings
    )


def test_a_clean_pipeline_with_aborts_on_both_sides_passes(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(5)))
    topics.abort(source, payment(0, 100), payment(1, 101))
    topics.commit(source, *(payment(0, number) for number in range(5, 8)))
    topics.abort(output, receipt(0, 0), receipt(0, 1), receipt(0, 100))
    topics.commit(output, *(receipt(0, number) for number in range(6)))
    topics.abort(output, receipt(0, 6))
    topics.commit(output, receipt(0, 6), receipt(0, 7))
    report = audit(topics, output, source)
    assert (report.verdict, report.findings, report.unknowns) == (Verdict.PASS, [], [])
    assert report.counts["output_records"] == report.counts["input_records"] == 8
    assert report.hazards == []


def test_outputs_written_outside_a_transaction_are_a_hazard_and_no_anomaly(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, payment(0, 1), payment(0, 2))
    topics.commit(output, receipt(1, 1))
    (place,) = topics.write(output, receipt(0, 2))
    report = audit(topics, output, source)
    assert report.verdict is Verdict.PASS
    assert [(h.code, h.partition, h.offset) for h in report.hazards] == [
        ("NOT_TRANSACTIONAL", 0, place)
    ]
    assert audit(topics, output, source, expect=Guarantee.AT_LEAST_ONCE).hazards == []


def test_a_re_keyed_and_repartitioned_output_is_no_anomaly(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(number % 2, number, account="a") for number in range(10)))
    moved = [Out((number // 3) % 2, {"id": number}, key=f"other-{number}") for number in range(10)]
    topics.commit(output, *moved)
    assert audit(topics, output, source).verdict is Verdict.PASS


def test_planted_anomalies_are_found_at_their_offsets_and_nothing_else(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    left = topics.commit(source, *(payment(0, number) for number in range(10)))
    topics.abort(source, payment(0, 99))
    right = topics.commit(source, *(payment(1, number) for number in range(10, 15)))
    # 2 twice; 4 never; 7 before 6; 99 (whose input was aborted) and 500 out of nothing; 13 and 14,
    # the end of the other partition, never.
    written = topics.commit(
        output, *(receipt(0, number) for number in (0, 1, 2, 3, 5, 7, 6, 2, 99, 8, 9))
    )
    topics.abort(output, receipt(1, 10))
    others = topics.commit(output, *(receipt(1, number) for number in (10, 11, 12, 500)))
    report = audit(topics, output, source)
    assert report.verdict is Verdict.FAIL
    assert shown(report) == [
        ("DUPLICATE", 0, [written[2], written[7]], 2),
        ("LOST", 0, [left[4]], 4),
        ("LOST", 1, [right[3]], 13),
        ("LOST", 1, [right[4]], 14),
        ("PHANTOM", 0, [written[8]], 99),
        ("PHANTOM", 1, [others[3]], 500),
        ("REORDERED", 0, [written[5]], 7),
    ]
    tails = {f.identity: f.evidence["tail"] for f in report.findings if f.code is Code.LOST}
    assert tails == {4: False, 13: True, 14: True}
    topics_named = {found.code: found.topic for found in report.findings}
    assert topics_named[Code.LOST] == source
    assert topics_named[Code.PHANTOM] == output
    duplicate = report.findings[0]
    assert [copy["at"] for copy in duplicate.evidence["copies"]] == [
        f"{output}-0@{written[2]}",
        f"{output}-0@{written[7]}",
    ]
    assert duplicate.evidence["inputs"][0]["at"] == f"{source}-0@{left[2]}"
    first = duplicate.evidence["copies"][0]
    assert first["time"].startswith("20")
    assert first["transactional_id"].startswith(output)
    assert (first["producer_id"] >= 0, first["epoch"] >= 0) == (True, True)


def test_a_copy_is_due_for_each_committed_copy_of_the_input(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    inputs = topics.commit(source, *(payment(0, number) for number in (1, 2, 1, 3, 2)))
    outputs = topics.commit(output, *(receipt(0, number) for number in (1, 2, 1, 3, 3)))
    report = audit(topics, output, source)
    assert shown(report) == [
        ("DUPLICATE", 0, [outputs[3], outputs[4]], 3),
        ("LOST", 0, [inputs[1], inputs[4]], 2),
    ]
    lost = report.findings[-1]
    assert lost.detail.startswith("1 of 2 expected outputs is missing")


def test_order_is_judged_within_what_was_asked_for(topics: Topics, pair: tuple[str, str]) -> None:
    source, output = pair
    accounts = ["x", "y", "x", "y"]
    topics.commit(source, *(payment(0, number, account=who) for number, who in enumerate(accounts)))
    places = topics.commit(output, *(receipt(0, number) for number in (1, 0, 3, 2)))
    by_partition = audit(topics, output, source)
    assert shown(by_partition) == [
        ("REORDERED", 0, [places[0]], 1),
        ("REORDERED", 0, [places[2]], 3),
    ]
    assert audit(topics, output, source, order="key").verdict is Verdict.PASS
    assert audit(topics, output, source, order="none").verdict is Verdict.PASS


def test_a_wrong_running_sum_is_one_finding_however_long_it_stays_wrong(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number, 10, "ab"[number % 2]) for number in range(8)))
    balances = [10, 10, 20, 20, 25, 30, 35, 40]  # account a loses 5 at its third payment
    places = topics.commit(
        output, *(receipt(0, number, balance) for number, balance in enumerate(balances))
    )
    oracle = RunningSum(amount="json:/amount", result="json:/balance")
    report = audit(topics, output, source, running_sum=oracle)
    assert shown(report) == [("WRONG_RESULT", 0, [places[4]], 4)]
    evidence = report.findings[0].evidence
    assert (evidence["result"], evidence["expected"], evidence["outputs"]) == (25, 30, 2)
    assert report.counts["wrong_results"] == 2


def test_without_an_input_holes_and_order_are_read_off_the_identities(
    topics: Topics, pair: tuple[str, str]
) -> None:
    _source, output = pair
    orders = [f"order-{number:04d}" for number in (7, 8, 10, 11, 9, 14, 15, 16)]
    left = topics.commit(output, *(Out(0, {"id": identity}) for identity in orders))
    topics.abort(output, Out(0, {"id": "order-0012"}))
    right = topics.commit(output, *(Out(1, {"id": f"b-{n}"}) for n in (1, 2, 3, 3)))
    report = audit(topics, output)
    assert shown(report) == [
        ("DUPLICATE", 1, [right[2], right[3]], "b-3"),
        ("GAP", 0, [left[5]], "order-0012"),
        ("REORDERED", 0, [left[4]], "order-0009"),
    ]
    gap = next(found for found in report.findings if found.code is Code.GAP)
    assert (gap.evidence["first_missing"], gap.evidence["last_missing"]) == (12, 13)


def test_without_an_input_random_identities_are_no_sequence_and_no_pass(
    topics: Topics, pair: tuple[str, str]
) -> None:
    _source, output = pair
    topics.commit(output, *(Out(0, {"id": f"id-{number}-x"}) for number in (1, 5, 9)))
    report = audit(topics, output)
    assert report.verdict is Verdict.UNKNOWN
    assert "give --input" in report.unknowns[0].reason
    only_duplicates = audit(topics, output, expect=Guarantee.AT_MOST_ONCE)
    assert only_duplicates.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("guarantee", "code"),
    [(Guarantee.AT_LEAST_ONCE, Code.DUPLICATE), (Guarantee.AT_MOST_ONCE, Code.LOST)],
)
def test_what_the_guarantee_allows_is_counted_and_changes_no_verdict(
    topics: Topics, pair: tuple[str, str], guarantee: Guarantee, code: Code
) -> None:
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(4)))
    written = (0, 1, 1, 2, 3) if code is Code.DUPLICATE else (0, 2, 3)
    topics.commit(output, *(receipt(0, number) for number in written))
    report = audit(topics, output, source, expect=guarantee)
    assert report.verdict is Verdict.PASS
    assert (report.allowed, report.anomalies) == ({code: 1}, {})
    assert [found.allowed for found in report.findings] == [True]
    for other in set(Guarantee) - {guarantee}:
        assert audit(topics, output, source, expect=other).verdict is Verdict.FAIL


def test_strict_makes_a_failure_of_a_hazard(topics: Topics, pair: tuple[str, str]) -> None:
    source, output = pair
    topics.commit(source, payment(0, 1))
    topics.write(output, receipt(0, 1))
    assert audit(topics, output, source).verdict is Verdict.PASS
    assert audit(topics, output, source, strict=True).verdict is Verdict.FAIL


def test_a_sample_of_numbers_shows_doubles_and_neither_gaps_nor_order(
    topics: Topics, pair: tuple[str, str]
) -> None:
    _source, output = pair
    numbers = [*range(40), 3, 20, 31]
    topics.commit(output, *(receipt(0, number) for number in numbers))
    whole = audit(topics, output)
    assert whole.anomalies == {Code.DUPLICATE: 3}
    halves = [audit(topics, output, sample=f"1/{parts}") for parts in (1, 2)]
    assert halves[0].anomalies == {Code.DUPLICATE: 3}
    assert 0 < halves[1].counts["output_records"] < len(numbers)
    assert halves[1].anomalies.keys() <= {Code.DUPLICATE}
    assert not halves[1].unknowns
    assert any("not judged in a sample" in said for said in halves[1].scope)


def test_counts_add_up_whatever_shard_a_loss_is_in(
    topics: Topics, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "eoscheck.audit.engine.budget", lambda _mb: Budget(rows_bytes=1 << 20, shard_rows=3)
    )
    source, output = pair
    topics.commit(source, *(payment(0, number) for number in range(40)))
    topics.commit(output, *(receipt(0, number) for number in range(40) if number != 17))
    report = audit(topics, output, source)
    assert report.anomalies == {Code.LOST: 1}
    assert (report.counts["due_records"], report.counts["missing_outputs"]) == (40, 1)
