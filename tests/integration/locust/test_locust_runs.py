"""Locust as the load of a run: alone, with workers, and with an app that is wrong."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from eoscheck.audit import run_audit
from eoscheck.audit.findings import Verdict
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster import Cluster
from eoscheck.history import BlockWritten, SendsAcknowledged, SendsUnconfirmed, read_history
from eoscheck.load.engine import BLOCK
from eoscheck.measure.journeys import first_seen
from tests.integration.locust.conftest import WriteScenario, free_port, start_locust

BOUND_S = 120.0


def by_generator(_key: bytes | None, value: bytes | None, _headers: Any) -> str:
    """A payment's number as that of its generator: the audit takes `0-17` for number 17 of `0-`."""
    block, number = divmod(msgspec.json.decode(value or b"")["payment_id"], BLOCK)
    return f"{block}-{number}"


def finished(process: subprocess.Popen[bytes], log: Path) -> int:
    try:
        return process.wait(BOUND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"Locust did not end within {BOUND_S:g} s:\n{log.read_text()[-3000:]}")


def one_run(reports: Path) -> Path:
    [folder] = reports.iterdir()
    return folder


def test_two_workers_write_unique_numbers_without_a_gap_and_the_run_is_judged(
    cluster: Cluster,
    write_scenario: WriteScenario,
    fresh_name: Callable[[str], str],
    tmp_path: Path,
) -> None:
    name, port = fresh_name("w")[:40], free_port()
    scenario = write_scenario(name)
    worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    master = [
        *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
        *("--expect-workers", 2, "--headless", "--users", 3, "--spawn-rate", 3),
        *("--only-summary", "--csv", tmp_path / "stats"),
        *("--eos-scenario", scenario, "--eos-report", tmp_path / "reports"),
    ]
    logs = [tmp_path / f"{who}.log" for who in ("master", "w0", "w1")]
    started = [
        start_locust(arguments, tmp_path=tmp_path, log=log)
        for arguments, log in zip((master, worker, worker), logs, strict=True)
    ]
    try:
        assert finished(started[0], logs[0]) == 0, logs[0].read_text()
        assert [finished(each, log) for each, log in zip(started[1:], logs[1:], strict=True)] == [
            0,
            0,
        ]
    finally:
        for process in started:
            process.kill()
    folder = one_run(tmp_path / "reports")
    result = msgspec.json.decode((folder / "result.json").read_bytes())
    assert result["verdict"] == "pass"
    assert result["tally"]["injected"] == 1
    assert "verdict" in (folder / "report.html").read_text().lower()

    events = read_history(folder)
    blocks = [event for event in events if isinstance(event, BlockWritten)]
    assert sorted(block.first for block in blocks) == [0, BLOCK]
    told = [
        identity
        for event in events
        if isinstance(event, SendsAcknowledged | SendsUnconfirmed)
        for identity in event.identities
    ]
    assert sorted(map(int, told)) == sorted(
        number for block in blocks for number in range(block.first, block.first + block.count)
    )
    audit = run_audit(
        AuditSpec(output=f"{name}-in", id=f"python:{__name__}:{by_generator.__name__}"),
        client_config=cluster.client_config,
    )
    assert audit.verdict is Verdict.PASS, audit
    assert audit.counts["output_records"] == len(told)

    with (tmp_path / "stats_stats.csv").open() as lines:
        rows = {row["Name"]: row for row in csv.DictReader(lines)}
    counted = [row for title, row in rows.items() if title.startswith("acknowledged")]
    assert sum(int(row["Request Count"]) for row in counted) == len(told)
    arrived = [row for title, row in rows.items() if title.startswith("committed receipt")]
    # The live reader may be late on a busy machine: what it saw is what is counted.
    assert sum(int(row["Request Count"]) for row in arrived) == len(first_seen(events)) > 0
    assert any(title.endswith(", during kill") for title in rows)
    assert {rows["kill"]["Type"], rows["exactly-once"]["Type"]} == {"FAULT", "AUDIT"}


def test_an_app_that_reads_what_was_aborted_makes_locust_exit_with_1(
    write_scenario: WriteScenario, fresh_name: Callable[[str], str], tmp_path: Path
) -> None:
    name, log = fresh_name("bug")[:40], tmp_path / "log"
    scenario = write_scenario(
        name, faults="", load="transaction_size = 20\nabort_ratio = 0.3\nacks = 'all'"
    )
    arguments = [
        *("--headless", "--users", 1, "--only-summary", "--eos-scenario", scenario),
        *("--eos-set", 'timing.faults=0s \'subject.args=["--bug","read-uncommitted-input"]\''),
        *("--eos-report", tmp_path / "reports"),
    ]
    code = finished(start_locust(arguments, tmp_path=tmp_path, log=log), log)
    words = log.read_text()
    assert code == 1, words
    assert "PHANTOM" in words
    assert "AUDIT" in words.partition("Error report")[2], words
    assert msgspec.json.decode((one_run(tmp_path / "reports") / "result.json").read_bytes())[
        "audit"
    ]["anomalies"]["PHANTOM"]


def test_a_scenario_that_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    log = tmp_path / "log"
    arguments = ["--headless", "--users", 1, "--eos-scenario", "kill-exactly-onse"]
    code = finished(start_locust(arguments, tmp_path=tmp_path, log=log), log)
    assert code == 2
    assert "did you mean 'kill-exactly-once'" in log.read_text()
    assert not [p for p in psutil.process_iter(["environ"]) if str(tmp_path) in str(p.info)]
