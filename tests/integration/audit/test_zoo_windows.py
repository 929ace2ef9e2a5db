"""Bugs of the zoo that show in windows: the audit finds them in a store's dump, and beside a run of
the app without the bug on the same input. No scenario leaves either behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.audit.spec import Changelog
from eoscheck.cluster import Cluster
from reference_app.bugs import zoo
from tests.integration.reference_app.app_driver import ROOT, Instance
from tests.integration.reference_app.test_bugs import TimedPayments

HOUR_MS = 3_600_000
Start = Callable[[str], TimedPayments]


@pytest.fixture
def start(cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path) -> Iterator[Start]:
    """An app of that kind, with topics of its own; its processes are gone afterwards."""
    apps: list[TimedPayments] = []

    def begin(kind: str) -> TimedPayments:
        folder = tmp_path / kind
        folder.mkdir()
        apps.append(TimedPayments(cluster.bootstrap_servers, fresh_name(kind), folder))
        return apps[-1]

    yield begin
    for app in apps:
        app.stop()


def counts(app: TimedPayments) -> str:
    return f"{app.name}-payment-counts-changelog"


def dumped(app: TimedPayments, instance: Instance) -> Path:
    """The windows of an instance that is not running."""
    command = [sys.executable, "-m", app.module, "--application-id", app.name, *app.options]
    command += ["--state-dir", str(instance.state_dir), "--dump-store", "payment-counts"]
    path = app.folder / "windows.ndjson"
    found = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, timeout=60)
    path.write_bytes(found.stdout)
    return path


def check(report: AuditReport, bug: tuple[str, ...], *codes: Code) -> None:
    """Green without a bug; with one, what is found is `codes`, which its page names."""
    if not bug:
        assert report.verdict is Verdict.PASS, (report.findings, report.unknowns)
        return
    assert report.verdict is Verdict.FAIL, report.unknowns
    assert set(report.anomalies) == set(codes)
    assert set(codes) <= set(zoo.find(bug[1]).anomalies)


@pytest.mark.parametrize("bug", [(), ("--bug", "window-retention-ignored")], ids=["none", "bug"])
def test_windows_past_their_retention_are_a_breach(
    start: Start, cluster: Cluster, bug: tuple[str, ...]
) -> None:
    app = start("app")
    instance = app.instance(*bug)
    instance.start()
    for number in range(1, 4):
        app.feed_at(number * HOUR_MS, 5)
    assert instance.terminate() == 0
    state = Changelog(
        name=counts(app),
        dump=str(dumped(app, instance)),
        window="prefix",
        retention_ms=app.rule.size_ms + app.rule.grace_ms,
    )
    spec = AuditSpec(output=app.output, input=app.input, id="json:/payment_id", changelogs=[state])
    report = run_audit(spec, client_config=cluster.client_config)
    check(report, bug, Code.RETENTION_BREACH)
    starts = {finding.evidence["window_start_ms"] for finding in report.findings}
    assert starts == ({HOUR_MS, 2 * HOUR_MS} if bug else set())


@pytest.mark.parametrize("bug", [(), ("--bug", "stream-time-lost")], ids=["none", "bug"])
def test_a_window_that_was_closed_and_counts_again_differs_from_a_run_without_restarts(
    start: Start, cluster: Cluster, bug: tuple[str, ...]
) -> None:
    app, golden = start("app"), start("golden")
    golden.input = app.input
    instance = app.instance(*bug)
    instance.start()
    app.feed_at(5_000, app.rule.threshold)  # a right alert
    app.feed_at(10_000, app.rule.threshold - 1)
    app.feed_at(20_000, 1)
    assert instance.terminate() == 0
    instance.start()
    app.feed_at(10_500, 1)  # too late: it would be the window's last missing payment
    golden.instance().start()
    golden.wait_drained()

    state = Changelog(name=counts(app), topic=counts(golden))
    spec = AuditSpec(output=app.output, input=app.input, id="json:/payment_id", changelogs=[state])
    report = run_audit(spec, client_config=cluster.client_config)
    check(report, bug, Code.STATE_DIVERGED)
    spec = AuditSpec(
        output=app.alerts,
        input=app.input,
        id="json:/payment_id",
        per_input="0..1",
        golden=golden.alerts,
    )
    report = run_audit(spec, client_config=cluster.client_config)
    check(report, bug, Code.WRONG_RESULT)
