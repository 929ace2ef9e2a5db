"""Outputs that belong together, committed in part: judged by what is declared."""

from __future__ import annotations

import pytest

from eoscheck.audit import Code, Verdict
from tests.integration.audit.test_audit_planted import audit
from tests.integration.audit.writing import Out, Topics


def half(payment: int, side: str) -> Out:
    return Out(0, {"id": f"{payment}-{side}", "payment": payment})


def test_a_group_of_which_one_half_was_only_ever_aborted_is_torn(
    topics: Topics, pair: tuple[str, str]
) -> None:
    _source, output = pair
    topics.commit(output, half(1, "debit"), half(1, "credit"))
    topics.abort(output, half(2, "debit"))
    whole = topics.commit(output, half(2, "credit"))
    report = audit(topics, output, atomic="json:/payment", order="none")
    (finding,) = (f for f in report.findings if f.code is Code.TORN_TRANSACTION)
    assert report.verdict is Verdict.FAIL
    assert [place["at"] for place in finding.evidence["committed"]] == [f"{output}-0@{whole[0]}"]
    assert finding.detail.endswith("1 were committed and 1 only aborted")


def test_a_group_that_was_tried_again_is_whole(topics: Topics, pair: tuple[str, str]) -> None:
    _source, output = pair
    topics.abort(output, half(1, "debit"), half(1, "credit"))
    topics.commit(output, half(1, "debit"), half(1, "credit"))
    topics.abort(output, half(2, "debit"), half(2, "credit"))
    report = audit(topics, output, atomic="json:/payment", order="none")
    assert Code.TORN_TRANSACTION not in report.anomalies


@pytest.mark.parametrize("reader", ["client"])
def test_a_reader_that_sees_no_aborted_records_says_so(
    topics: Topics, pair: tuple[str, str], reader: str
) -> None:
    _source, output = pair
    topics.commit(output, half(1, "debit"), half(1, "credit"))
    report = audit(topics, output, atomic="json:/payment", order="none", reader=reader)
    assert Code.TORN_TRANSACTION in [unknown.subject for unknown in report.unknowns]
