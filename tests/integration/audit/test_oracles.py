"""Oracles and states in whole audits of real topics: planted differences, and innocent ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.audit.rows.shuffle import Budget
from eoscheck.audit.spec import Changelog
from eoscheck.errors import UsageError
from eoscheck.history.restores import ChangelogSampled, RestoreEnded, RestoreStarted
from tests.integration.audit.writing import Out, Topics

FOLDS = "python:tests.integration.audit.folds:"
ACCOUNTS = "abc"


@pytest.fixture
def audit(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AuditReport]:
    """Audits in many small shards, most of them on disk: what belongs together must meet."""
    monkeypatch.setattr(
        "eoscheck.audit.engine.budget", lambda _mb: Budget(rows_bytes=1000, shard_rows=2)
    )

    def audit(output: str, source: str | None = None, **options: Any) -> AuditReport:
        options = {"id": "json:/id", "patience_s": 2.0, "max_findings": 10, **options}
        return run_audit(
            AuditSpec(output=output, input=source, **options), client_config=topics.client_config
        )

    return audit


@pytest.fixture
def create(topics: Topics, fresh_name: Callable[[str], str]) -> Callable[..., str]:
    def create(kind: str, **config: str) -> str:
        return topics.create(fresh_name(kind), 2, **config)

    return create


Audit = Callable[..., AuditReport]
Create = Callable[..., str]


def home(account: str) -> int:
    return ACCOUNTS.index(account) % 2


def paid(identity: int, account: str, amount: int) -> Out:
    return Out(home(account), {"id": identity, "amount": amount}, key=account)


def result(identity: int, account: str, balance: int, *, partition: int | None = None) -> Out:
    where = home(account) if partition is None else partition
    return Out(where, {"id": identity, "balance": balance}, key=account)


def state(account: str, value: int | None, *, partition: int | None = None) -> Out:
    where = home(account) if partition is None else partition
    return Out(where, None if value is None else msgspec.json.encode(value), key=account)


PAID = [paid(1, "a", 5), paid(2, "b", 7), paid(3, "a", -2), paid(4, "c", 1)]
RIGHT = [result(1, "a", 5), result(2, "b", 7), result(3, "a", 3), result(4, "c", 1)]
STATE = [state("a", 5), state("b", 7), state("a", 3), state("c", 1)]


def passed(report: AuditReport) -> None:
    assert (report.findings, report.unknowns) == ([], [])
    assert report.verdict is Verdict.PASS


def only(report: AuditReport, code: Code) -> Any:
    assert report.verdict is Verdict.FAIL
    assert report.unknowns == []
    assert report.anomalies == {code: 1}
    (finding,) = report.findings
    return finding


# -- the golden run


def test_a_golden_run_in_another_order_and_with_aborts_is_the_same(
    topics: Topics, create: Create, audit: Audit
) -> None:
    output, golden = create("output"), create("golden")
    topics.commit(output, *RIGHT[:2])
    topics.abort(output, result(3, "a", 99))
    topics.commit(output, *RIGHT[2:])
    topics.commit(golden, *reversed(RIGHT))
    passed(audit(output, golden=golden))
    topics.commit(golden, result(1, "a", 5, partition=1))
    topics.commit(output, result(1, "a", 5, partition=1))
    report = audit(output, golden=golden)
    assert Code.WRONG_RESULT not in report.anomalies


def test_a_wrong_output_differs_from_the_golden_run_on_both_sides(
    topics: Topics, create: Create, audit: Audit
) -> None:
    output, golden = create("output"), create("golden")
    topics.commit(golden, *RIGHT)
    offsets = topics.commit(output, *RIGHT[:3], result(4, "c", 2))
    report = audit(output, golden=golden)
    assert report.anomalies == {Code.WRONG_RESULT: 2}
    here, there = sorted(report.findings, key=lambda finding: -len(finding.offsets))
    assert (here.topic, here.partition, here.offsets) == (output, home("c"), offsets[3:])
    assert here.detail == f"in {output} once, in the golden run never"
    assert (there.identity, there.offsets) == (4, [])
    assert there.detail == f"in {output} never, in the golden run once"


def test_by_last_value_only_the_last_counts(topics: Topics, create: Create, audit: Audit) -> None:
    output, golden = create("output"), create("golden", cleanup_policy="compact")
    topics.commit(golden, *RIGHT)
    topics.commit(output, result(0, "a", 77), *RIGHT)
    passed(audit(output, golden=golden, golden_by="last"))
    topics.commit(output, result(5, "b", 8))
    finding = only(audit(output, golden=golden, golden_by="last"), Code.WRONG_RESULT)
    assert finding.identity == 5
    assert finding.detail == f"{golden} has another value than {output}"


@pytest.mark.parametrize("compacted", [True, False])
def test_a_golden_topic_that_tells_nothing_is_unknown(
    topics: Topics, create: Create, audit: Audit, *, compacted: bool
) -> None:
    output = create("output")
    golden = create("golden", **({"cleanup_policy": "compact"} if compacted else {}))
    topics.commit(output, *RIGHT)
    if compacted:
        topics.commit(golden, *RIGHT)
    report = audit(output, golden=golden)
    assert report.verdict is Verdict.UNKNOWN
    expected = "is compacted" if compacted else "holds no committed record"
    assert expected in report.unknowns[0].reason


# -- invariants


def entry(partition: int, payment: int, amount: int) -> Out:
    content = {"id": f"{payment}/{amount}", "payment": payment, "amount": amount}
    return Out(partition, content, key="k")


def test_a_ledger_in_balance_passes_and_a_torn_payment_does_not(
    topics: Topics, create: Create, audit: Audit
) -> None:
    ledger = create("ledger")
    topics.commit(ledger, entry(0, 1, 5), entry(1, 1, -5), entry(0, 2, 10**17))
    topics.commit(ledger, entry(1, 2, -(10**17)))
    topics.abort(ledger, entry(0, 3, 4))
    options = {"id": "json:/id", "order": "none", "sum_is_zero": "json:/amount"}
    report = audit(ledger, **options)
    assert Code.WRONG_RESULT not in report.anomalies
    (offset,) = topics.commit(ledger, entry(1, 4, 7))
    report = audit(ledger, **options)
    assert report.anomalies[Code.WRONG_RESULT] == 1
    finding = next(each for each in report.findings if each.code is Code.WRONG_RESULT)
    assert finding.evidence["sum"] == 7
    assert finding.evidence["records"] == 5
    assert finding.evidence["sums"] == {"0": 10**17 + 5, "1": 2 - 10**17}
    report = audit(ledger, atomic="json:/payment", **options)
    by_payment = [each for each in report.findings if each.evidence.get("copies")]
    assert [(each.partition, each.offsets) for each in by_payment] == [(1, [offset])]


def test_amounts_that_are_not_there_make_the_sum_unknown(
    topics: Topics, create: Create, audit: Audit
) -> None:
    ledger = create("ledger")
    topics.commit(ledger, entry(0, 1, 5), Out(0, {"id": 2}, key="k"))
    report = audit(ledger, order="none", sum_is_zero="json:/amount")
    assert Code.WRONG_RESULT not in report.anomalies
    assert any("1 records" in unknown.reason for unknown in report.unknowns)


def test_a_number_that_does_not_rise_is_found_with_the_one_before(
    topics: Topics, create: Create, audit: Audit
) -> None:
    output = create("output")
    numbered = [Out(0, {"id": n, "seq": n // 2}, key="ab"[n % 2]) for n in range(8)]
    topics.commit(output, *numbered)
    assert Code.WRONG_RESULT not in audit(output, monotonic="json:/seq").anomalies
    topics.commit(output, numbered[0])  # a duplicate, and nothing else
    report = audit(output, monotonic="json:/seq")
    assert report.anomalies == {Code.DUPLICATE: 1}
    (late,) = topics.commit(output, Out(0, {"id": 8, "seq": 2}, key="b"))
    report = audit(output, monotonic="json:/seq")
    (finding,) = [each for each in report.findings if each.code is Code.WRONG_RESULT]
    assert finding.identity == 8
    assert finding.offsets[-1] == late
    assert finding.detail == "2 comes after 3 of the same key, and must be above it"


# -- folds


def test_the_last_output_of_each_key_is_held_against_a_fold(
    topics: Topics, create: Create, audit: Audit
) -> None:
    source, output = create("source"), create("output")
    topics.commit(source, *PAID[:2])
    topics.abort(source, paid(99, "a", 1000))
    topics.commit(source, *PAID[2:])
    topics.commit(output, *RIGHT[:3], result(4, "c", 1))
    passed(audit(output, source, fold=f"{FOLDS}balance"))
    topics.commit(source, paid(5, "b", 1))
    topics.commit(output, result(5, "b", 9))
    finding = only(audit(output, source, fold=f"{FOLDS}balance"), Code.WRONG_RESULT)
    assert finding.identity == 5
    assert "fold tests.integration.audit.folds:balance has another value" in finding.detail


def test_inputs_above_the_groups_offset_are_not_folded(
    topics: Topics, create: Create, audit: Audit, fresh_name: Callable[[str], str]
) -> None:
    source, output, group = create("source"), create("output"), fresh_name("group")
    topics.commit(source, *PAID)
    topics.commit(output, *RIGHT)
    topics.commit_offsets(group, source, {0: 4, 1: 2})
    topics.commit(source, paid(5, "a", 100))
    passed(audit(output, source, group=group, fold=f"{FOLDS}balance"))


def test_a_fold_that_raises_is_unknown_with_its_error(
    topics: Topics, create: Create, audit: Audit
) -> None:
    source, output = create("source"), create("output")
    topics.commit(source, *PAID, Out(0, {"id": 5}, key="a"))
    topics.commit(output, *RIGHT, result(5, "a", 3))
    report = audit(output, source, fold=f"{FOLDS}balance")
    assert report.verdict is Verdict.UNKNOWN
    assert "KeyError: 'amount'" in report.unknowns[0].reason


# -- states


def dump(path: Path, entries: dict[str, int], *, offsets: dict[int, int]) -> str:
    lines: list[dict[str, Any]] = []
    for partition, offset in offsets.items():
        lines.append({"partition": partition, "offset": offset})
        lines += [
            {"partition": partition, "key": account, "value": value}
            for account, value in entries.items()
            if home(account) == partition
        ]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return str(path)


def test_changelog_dump_second_changelog_and_fold_agree(
    topics: Topics, create: Create, audit: Audit, tmp_path: Path
) -> None:
    source, output = create("source"), create("output")
    log = create("changelog", cleanup_policy="compact")
    second = create("second", cleanup_policy="compact")
    topics.commit(source, *PAID, paid(5, "c", -1))
    topics.commit(output, *RIGHT, result(5, "c", 0))
    topics.commit(log, *STATE[:2])
    topics.abort(log, state("b", 999))
    topics.commit(log, *STATE[2:], state("c", None))
    topics.commit(second, *STATE[2:], state("b", 7), state("c", None))
    stored = dump(tmp_path / "store.ndjson", {"a": 3, "b": 7}, offsets={0: 50, 1: 50})
    changelog = Changelog(name=log, topic=second, dump=stored, fold=f"{FOLDS}stored")
    passed(audit(output, source, changelogs=[changelog]))


def test_of_three_the_one_that_differs_is_named(
    topics: Topics, create: Create, audit: Audit, tmp_path: Path
) -> None:
    source, output = create("source"), create("output")
    log = create("changelog", cleanup_policy="compact")
    topics.commit(source, *PAID)
    topics.commit(output, *RIGHT)
    offsets = topics.commit(log, *STATE)
    stored = dump(tmp_path / "store.ndjson", {"a": 3, "b": 8, "c": 1}, offsets={0: 50, 1: 50})
    changelog = Changelog(name=log, dump=stored, fold=f"{FOLDS}stored")
    finding = only(audit(output, source, changelogs=[changelog]), Code.STATE_DIVERGED)
    assert (finding.topic, finding.partition, finding.offsets) == (log, home("b"), [offsets[1]])
    assert finding.identity == "b"
    assert finding.detail == (
        f"dump store.ndjson has another value than {log}; "
        f"fold tests.integration.audit.folds:stored agrees with {log}"
    )


def test_a_key_that_the_changelog_lacks_is_named_by_what_has_it(
    topics: Topics, create: Create, audit: Audit, tmp_path: Path
) -> None:
    output, log, second = create("output"), create("changelog"), create("second")
    topics.commit(output, *RIGHT)
    topics.commit(log, *STATE[:3])
    topics.commit(second, *STATE)
    finding = only(
        audit(output, changelogs=[Changelog(name=log, topic=second)]), Code.STATE_DIVERGED
    )
    assert (finding.identity, finding.offsets, finding.topic) == ("c", [], log)
    stored = dump(tmp_path / "store.ndjson", {"a": 3, "b": 7, "c": 1}, offsets={0: 50, 1: 50})
    finding = only(
        audit(output, changelogs=[Changelog(name=log, dump=stored)]), Code.STATE_DIVERGED
    )
    assert finding.identity == "c"


def test_a_dump_is_of_its_offset(
    topics: Topics, create: Create, audit: Audit, tmp_path: Path
) -> None:
    output, log = create("output"), create("changelog")
    topics.commit(output, *RIGHT)
    topics.commit(log, *STATE)
    stored = dump(tmp_path / "store.ndjson", {"a": 3, "b": 7, "c": 1}, offsets={0: 4, 1: 2})
    topics.commit(log, state("a", 50), state("b", None))
    passed(audit(output, changelogs=[Changelog(name=log, dump=stored)]))


def test_a_damaged_dump_is_refused_with_its_line(
    topics: Topics, create: Create, audit: Audit, tmp_path: Path
) -> None:
    output, log = create("output"), create("changelog")
    path = tmp_path / "store.ndjson"
    path.write_text('{"partition": 0}\n{"partition": 0, "key": "a", "va')
    with pytest.raises(UsageError, match=r"line 2 .* cut off"):
        audit(output, changelogs=[Changelog(name=log, dump=str(path))])


def test_windows_past_their_retention_are_a_breach_in_a_dump_only(
    topics: Topics, create: Create, audit: Audit, tmp_path: Path
) -> None:
    output, log = create("output"), create("changelog")
    topics.commit(output, *RIGHT)
    hour = 3_600_000
    windows = [Out(0, b"1", key=(n * hour).to_bytes(8, "big") + b"a") for n in range(1, 4)]
    topics.commit(log, *windows)
    path = tmp_path / "windows.ndjson"
    head = '{"partition":0,"offset":50}\n'
    rows = [f'{{"partition":0,"key":"a","window":{n * hour},"value":1}}\n' for n in range(1, 4)]
    path.write_text(head + rows[2])
    changelog = Changelog(name=log, dump=str(path), window="prefix", retention_ms=1300)
    passed(audit(output, changelogs=[changelog]))
    path.write_text(head + rows[0] + rows[2])
    finding = only(audit(output, changelogs=[changelog]), Code.RETENTION_BREACH)
    assert finding.identity == "a"
    assert finding.evidence["window_start_ms"] == hour
    path.write_text(head + rows[2].replace('"value":1', '"value":2'))
    finding = only(audit(output, changelogs=[changelog]), Code.STATE_DIVERGED)
    assert finding.evidence["window_start_ms"] == 3 * hour


def test_a_restore_that_left_out_committed_records_is_found_in_a_runs_history(
    topics: Topics, create: Create
) -> None:
    output, log = create("output"), create("app-balances-changelog")
    topics.commit(output, *RIGHT)
    topics.commit(log, *STATE[:2])
    (missed,) = topics.commit(log, state("a", 3))
    (_after,) = topics.commit(log, state("c", 1))
    topics.commit(log, state("b", 99))

    def audit(restored_to: int) -> AuditReport:
        at = {"instance": 0, "store": log, "partition": home("a")}
        history = [
            ChangelogSampled(t=1, topic=log, high_watermarks={0: _after + 2, 1: 4}),
            RestoreStarted(t=10, start=0, end=restored_to, **at),
            RestoreEnded(t=11, restored_to=restored_to, **at),
        ]
        spec = AuditSpec(output=output, id="json:/id", changelogs=[Changelog(name=log)])
        return run_audit(spec, client_config=topics.client_config, history=history)

    finding = only(audit(restored_to=missed), Code.RESTORE_SHORT)
    assert finding.offsets == [missed, _after]
    assert finding.evidence["left_out"] == 2
    passed(audit(restored_to=_after + 1))  # a marker is nothing to restore


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": "python:no_such_module:f"}, "cannot import"),
        ({"fold": f"{FOLDS}balance"}, "give --input"),
        ({"changelogs": [Changelog(name="log")]}, "compared with nothing"),
        (
            {"changelogs": [Changelog(name="log", topic="other", window="suffix")]},
            "give both or none",
        ),
        ({"sum_is_zero": "amount"}, "amount"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_read(
    audit: Audit, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        audit("output", **options)
