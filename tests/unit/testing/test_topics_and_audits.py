"""Tests that drive their app by themselves: topics of their own, and a verdict on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.audit.findings import AuditReport, Code, Unknown, Verdict
from eoscheck.audit.spec import AuditSpec
from eoscheck.errors import UsageError
from eoscheck.testing.audits import Auditor
from eoscheck.testing.failure import EosFailure
from eoscheck.testing.topics import Topics
from tests.unit.report.samples import audit_report, finding
from tests.unit.testing.fakes import NoCluster


class OurCluster(NoCluster):
    owned = True


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    monkeypatch.setattr("eoscheck.testing.topics.create_topics", lambda _, new: made.extend(new))
    monkeypatch.setattr(
        "eoscheck.testing.topics.delete_topics", lambda _, old: made.append(list(old))
    )
    return made


def test_each_topic_is_fresh_created_and_deleted(calls: list[Any]) -> None:
    topics = Topics(OurCluster(), test="test_a")
    first, second = topics("orders", partitions=2), topics("orders")
    other = Topics(OurCluster(), test="test_a")("orders")
    assert len({first, second, other}) == 3
    assert first.startswith("orders-test_a-")
    assert [(each.name, each.partitions) for each in calls[:2]] == [(first, 2), (second, 4)]
    topics.close()
    assert calls[-1] == [first, second]


def test_nothing_is_created_on_a_cluster_that_is_not_ours(calls: list[Any]) -> None:
    topics = Topics(NoCluster(), test="test_a")
    assert topics("orders").startswith("orders-")
    topics.close()
    assert calls == []


def auditor(report: AuditReport) -> Auditor:
    def audit(spec: AuditSpec, *, client_config: object) -> AuditReport:
        assert spec.output == "receipts"
        return report

    return Auditor(
        NoCluster(), title="test_a.py::test_a", again="pytest a", page=Path("a.html"), audit=audit
    )


def test_an_audit_that_finds_something_fails_with_it() -> None:
    report = audit_report(
        verdict=Verdict.FAIL,
        anomalies={Code.DUPLICATE: 3},
        findings=[finding(Code.DUPLICATE, number) for number in range(3)],
    )
    with pytest.raises(EosFailure) as caught:
        auditor(report)(output="receipts", id="key")
    said = str(caught.value)
    assert said.startswith("Exactly-once did not hold in receipts: 3 × DUPLICATE\n")
    assert "receipts-1 @ 1201, 1242, identity 2001: one input, 2 committed outputs" in said
    assert "and 1 more" in said
    assert auditor(report)(output="receipts", check=False) is report


def test_an_audit_that_cannot_tell_is_no_pass() -> None:
    report = audit_report(
        verdict=Verdict.UNKNOWN, unknowns=[Unknown(subject="receipts-2", reason="not readable")]
    )
    with pytest.raises(EosFailure, match=r"Unknown whether exactly-once holds(.|\n)*not readable"):
        auditor(report)(output="receipts")


def test_an_audit_refuses_what_it_does_not_know() -> None:
    with pytest.raises(UsageError, match=r"'grup' \(did you mean 'group'\?\)"):
        auditor(audit_report())(output="receipts", grup="x")
