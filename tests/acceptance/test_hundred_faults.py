"""A hundred faults in a row on one cluster: what they leave behind, what they cost the harness."""

from __future__ import annotations

import gc
import logging
import math
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from eoscheck.cli.session import Session, open_session
from eoscheck.run.catalogue import Entry, run_series
from eoscheck.run.naming import new_run_id
from eoscheck.run.result import RunResult
from eoscheck.run.runner import plan_faults, run_scenario
from tests.acceptance.conftest import Accepted

SCENARIO = Path(__file__).with_name("every_family.toml")
FAULTS = 100
WARM = 2
"""Runs until pools, caches and compiled code are there: memory is held against what it was then."""
GROWTH = 1.1


@dataclass(frozen=True, kw_only=True)
class Held:
    """What this process holds of the machine between two runs. `processes` by their command."""

    processes: list[str]
    ports: set[int]
    files: int
    threads: int
    folders: set[str]
    memory: int


def held() -> Held:
    gc.collect()
    me = psutil.Process()
    children = me.children(recursive=True)
    listening = [
        each.laddr.port
        for process in (me, *children)
        for each in process.net_connections(kind="tcp")
        if each.status == psutil.CONN_LISTEN
    ]
    return Held(
        processes=sorted(process.name() for process in children),
        ports=set(listening),
        files=me.num_fds(),
        threads=threading.active_count(),
        folders={path.name for path in Path(tempfile.gettempdir()).iterdir()},
        memory=me.memory_info().rss,
    )


@pytest.mark.accept
@pytest.mark.timeout(1800)
def test_a_hundred_faults_leave_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    accepted: Accepted,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="kafka")  # a kept log line keeps its connection
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    between: list[Held] = []
    injected = 0

    def run(session: Session, entry: Entry) -> RunResult:
        nonlocal injected
        run_id = new_run_id(entry.name)
        seed = len(between) + 1
        result = run_scenario(
            entry.load(run_id=run_id),
            on=session,
            folder=tmp_path / "runs" / run_id,
            run_id=run_id,
            seed=seed,
            repeat="",
        )
        assert not result.audit.anomalies, (entry.name, seed, result.reasons)
        injected += result.tally.injected
        between.append(held())
        return result

    entry = Entry(SCENARIO)
    # One in ten may find nothing to hit: an instance that has just ended by itself, a silent link.
    bite = len(plan_faults(entry.scenario, seed=1)) * 0.9
    series = run_series([entry] * math.ceil(FAULTS / bite), opened=open_session, run=run)
    assert not series.failed
    assert injected >= FAULTS

    first, last = between[0], between[-1]
    for each in between:
        assert each.processes == first.processes
        assert each.ports == first.ports
        assert each.folders == first.folders
        assert each.threads == first.threads
    warm = between[WARM - 1]
    assert last.files <= warm.files
    mib = [round(each.memory / 2**20) for each in between]
    assert last.memory <= warm.memory * GROWTH, f"MiB after each run: {mib}"
    assert list(temporary.iterdir()) == []
    accepted(
        "100 faults in a row on one cluster: nothing is left behind, memory is flat",
        "pytest tests/acceptance/test_hundred_faults.py",
        f"{injected} faults in {len(between)} runs; {mib[WARM - 1]} MiB after the first {WARM} "
        f"runs, {mib[-1]} MiB after the last",
    )
