"""From what was found to one word."""

from __future__ import annotations

import pytest

from eoscheck.audit.checks.outcome import Cause, Checked, Found
from eoscheck.audit.findings import Code, Guarantee, Unknown, Verdict
from eoscheck.audit.judge import allowed, guarded, matters, verdict

EXACTLY, AT_LEAST, AT_MOST = (
    Guarantee.EXACTLY_ONCE,
    Guarantee.AT_LEAST_ONCE,
    Guarantee.AT_MOST_ONCE,
)


def found(code: Code, *causes: Cause, total: int = 1) -> Found:
    return Found(code=code, total=total, anomalies=[], causes=frozenset(causes))


def test_exactly_once_allows_nothing() -> None:
    assert not any(allowed(found(code, *Cause), EXACTLY) for code in Code)


@pytest.mark.parametrize(
    ("guarantee", "codes"),
    [
        (AT_LEAST, {Code.DUPLICATE, Code.REORDERED, Code.OFFSET_BEHIND}),
        (AT_MOST, {Code.LOST, Code.GAP, Code.OFFSET_AHEAD}),
    ],
)
def test_a_weaker_guarantee_allows_its_own_weakness(guarantee: Guarantee, codes: set[Code]) -> None:
    assert {code for code in Code if allowed(found(code), guarantee)} == codes


def test_a_wrong_result_is_allowed_only_with_the_cause_that_the_guarantee_has() -> None:
    again, lost = Cause.REPROCESSED, Cause.LOST
    wrong = Code.WRONG_RESULT
    assert allowed(found(wrong, again), AT_LEAST)
    assert allowed(found(wrong, again, lost), AT_LEAST)
    assert not allowed(found(wrong, lost), AT_LEAST)
    assert not allowed(found(wrong), AT_LEAST)
    assert allowed(found(wrong, lost), AT_MOST)
    assert not allowed(found(wrong, again), AT_MOST)


def test_a_check_that_crashes_is_unknown_and_never_a_pass() -> None:
    def crash() -> Checked:
        raise ZeroDivisionError("division by zero")

    checked = guarded(Code.LOST, crash)
    assert verdict(checked.found, checked.unknowns, EXACTLY) is Verdict.UNKNOWN
    assert checked.unknowns[0].reason == "the check failed: ZeroDivisionError: division by zero"


def test_an_anomaly_outweighs_what_is_unknown_and_an_allowed_one_does_not() -> None:
    doubt = [Unknown(subject="receipts-0", reason="held")]
    assert verdict([found(Code.LOST)], doubt, EXACTLY) is Verdict.FAIL
    assert verdict([found(Code.DUPLICATE)], doubt, AT_LEAST) is Verdict.UNKNOWN
    assert verdict([found(Code.DUPLICATE)], [], AT_LEAST) is Verdict.PASS
    assert verdict([found(Code.LOST, total=0)], [], EXACTLY) is Verdict.PASS


def test_hazards_fail_an_audit_only_where_it_is_strict() -> None:
    assert verdict([], [], EXACTLY, hazards=1) is Verdict.FAIL
    assert verdict([], [], EXACTLY) is Verdict.PASS


def test_what_is_allowed_anyway_need_not_be_judged() -> None:
    doubt = Unknown(subject=Code.LOST, reason="the output is compacted")
    assert matters(doubt, EXACTLY)
    assert not matters(doubt, AT_MOST)
    assert verdict([], [doubt], AT_MOST) is Verdict.PASS


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert [each.exit_code for each in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)] == [0, 1, 2]
