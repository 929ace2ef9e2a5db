"""A Locust worker that is killed in the middle of its load costs the run only its records."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest

from eoscheck.history import BlockWritten, SendsAcknowledged, SendsUnconfirmed, read_history
from eoscheck.load.engine import BLOCK
from tests.acceptance.conftest import Accepted
from tests.integration.locust.conftest import free_port, start_locust
from tests.integration.run.test_left_behind import family, wait_for

SMALL = "timing.steady=8s timing.faults=7s faults.0.count=1 faults.1.count=1 load.rate=300"


@pytest.mark.accept
@pytest.mark.timeout(300)
def test_a_killed_worker_leaves_what_it_did_not_tell_of_indeterminate(
    tmp_path: Path, accepted: Accepted
) -> None:
    port, log = free_port(), tmp_path / "master.log"
    worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    master = [
        *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
        *("--expect-workers", 2, "--headless", "--users", 2, "--spawn-rate", 2),
        *("--only-summary", "--eos-scenario", "kill-exactly-once"),
        *("--eos-set", SMALL, "--eos-report", tmp_path / "reports"),
    ]
    director = start_locust(master, tmp_path=tmp_path, log=log)
    workers = [
        start_locust(worker, tmp_path=tmp_path, log=tmp_path / f"{number}.log")
        for number in range(2)
    ]
    history = "reports/*/history.ndjson"
    try:
        wait_for(
            "both workers' records",
            lambda: (
                all(
                    f"[{first}," in path.read_text() or f",{first}," in path.read_text()
                    for path in tmp_path.glob(history)
                    for first in (0, BLOCK)
                )
                and any(tmp_path.glob(history))
                and "the load begins" in log.read_text()
            ),
        )
        workers[0].send_signal(signal.SIGKILL)
        assert director.wait(200) == 0, log.read_text()
        workers[1].wait(60)
    finally:
        for process in (director, *workers):
            process.kill()
    [folder] = (tmp_path / "reports").iterdir()
    events = read_history(folder)
    blocks = [event for event in events if isinstance(event, BlockWritten)]
    told = [
        identity
        for event in events
        if isinstance(event, SendsAcknowledged | SendsUnconfirmed)
        for identity in event.identities
    ]
    result = msgspec.json.decode((folder / "result.json").read_bytes())
    wait_for("everything to end", lambda: not family(tmp_path / "tmp"))
    accepted(
        "Locust: one of two workers is killed",
        f"locust -f chaos/locustfile.py --master --headless --users 2 --eos-set '{SMALL}'",
        f"{result['verdict']}: {sum(block.count for block in blocks)} records told of, "
        f"{sum(block.lost for block in blocks)} of {len(blocks)} blocks lost",
    )
    assert [block.lost for block in sorted(blocks, key=lambda b: b.lost)] == [False, True]
    assert sorted(map(int, told)) == sorted(
        number for block in blocks for number in range(block.first, block.first + block.count)
    )
