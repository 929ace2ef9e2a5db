"""How many records a second one Locust worker writes: `python -m benchmarks.locust_rate`.

A master and one worker on a real broker, no faults, an app that does nothing. At each rate: what
was acknowledged a second, how late the worst record left, and the processor time of the worker for
each record (of which one core has a million microseconds a second, however busy the machine is).
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import psutil

from eoscheck.history import BlockWritten, PhaseStarted, SendsAcknowledged, read_history
from eoscheck.network.ports import free_ports

ROOT = Path(__file__).parents[1]
LOCUST = str(Path(sys.executable).parent / "locust")
BOUND_S = 300.0
SCENARIO = """
name = "locust-rate"
title = "One worker"
[topics."in-{run_id}"]
partitions = 4
[topics."out-{run_id}"]
[subject]
command = ["sleep", "1000"]
[load]
topic = "in-{run_id}"
[timing]
steady = "SECONDSs"
faults = "0s"
settle = "0s"
[audit]
output = "out-{run_id}"
id = "json:/payment_id"
expect = "at-most-once"
"""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_us` is the worker's whole process; `late_s` is of records that were to leave later than
    the first second: that is spent on connections."""

    asked: float
    acknowledged_per_s: float
    cpu_us: float
    waited_p50_ms: float
    waited_p99_ms: float


def measure(rate: float, *, users: int, seconds: int, folder: Path) -> Measured:
    scenario = folder / "rate.toml"
    scenario.write_text(SCENARIO.replace("SECONDS", str(seconds)))
    port = str(free_ports(1)[0])
    command = [LOCUST, "-f", str(ROOT / "chaos" / "locustfile.py")]
    reports = folder / f"reports-{rate:g}"
    with (folder / "log").open("ab") as log:
        worker = psutil.Popen(
            [*command, "--worker", "--master-host", "127.0.0.1", "--master-port", port],
            stdout=log,
            stderr=log,
        )
        master = subprocess.Popen(
            [
                *command,
                *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
                *("--expect-workers", "1", "--headless", "--only-summary"),
                *("--users", str(users), "--spawn-rate", str(users)),
                *("--csv", str(folder / f"stats-{rate:g}"), "--eos-rate", str(rate / users)),
                *("--eos-scenario", str(scenario), "--eos-report", str(reports)),
            ],
            stdout=log,
            stderr=log,
        )
        try:
            spent = _cpu_while(worker)
            master.wait(BOUND_S)
        finally:
            for process in (master, worker):
                if process.poll() is None:
                    process.kill()
                    process.wait()
    [run] = reports.iterdir()
    return _measured(run, rate=rate, seconds=seconds, cpu_s=spent, folder=folder)


def _cpu_while(worker: psutil.Popen) -> float:
    """Of the whole process, as it was last seen."""
    spent = 0.0
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        times = worker.cpu_times()
        spent = times.user + times.system
        try:
            worker.wait(0.2)
        except psutil.TimeoutExpired:
            continue
    return spent


def _measured(run: Path, *, rate: float, seconds: int, cpu_s: float, folder: Path) -> Measured:
    events = read_history(run)
    [block] = [event for event in events if isinstance(event, BlockWritten)]
    begun = next(e.t for e in events if isinstance(e, PhaseStarted) and e.phase == "steady")
    acknowledged = sum(
        len(event.identities)
        for event in events
        if isinstance(event, SendsAcknowledged) and begun <= event.t <= begun + seconds
    )
    with (folder / f"stats-{rate:g}_stats.csv").open() as lines:
        row = next(row for row in csv.DictReader(lines) if row["Name"] == "acknowledged")
    return Measured(
        asked=rate,
        acknowledged_per_s=acknowledged / seconds,
        cpu_us=cpu_s / block.count * 1e6,
        waited_p50_ms=float(row["50%"]),
        waited_p99_ms=float(row["99%"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="5000,20000,40000", help="records a second, in all")
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    print(
        "| asked, records/s | acknowledged/s | worker's CPU, µs a record | ack p50, ms | p99, ms |"
    )
    print("|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="eoscheck-locust-") as folder:
        for rate in map(float, options.rates.split(",")):
            found = measure(rate, users=options.users, seconds=options.seconds, folder=Path(folder))
            print(
                f"| {found.asked:,.0f} | {found.acknowledged_per_s:,.0f} | {found.cpu_us:.1f} "
                f"| {found.waited_p50_ms:.0f} | {found.waited_p99_ms:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
