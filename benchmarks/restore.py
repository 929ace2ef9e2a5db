"""Restore: one task, 1 kB values, an empty state directory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backlog import KEY_BYTES, VALUE_BYTES, fill_changelog
from benchmarks.bench import Bench, Running, field
from benchmarks.figures import Row, Section, at_least, mean
from benchmarks.sizes import Sizes
from benchmarks.subjects import Job, What, Who, new_name
from eoscheck.errors import InfrastructureError
from eoscheck.measure.cost import ratio_of

RECORD_BYTES = KEY_BYTES + VALUE_BYTES
RUNNING_S = 180.0
_METHOD = (
    "One partition of a store with 1 kB values, {megabytes:,} MB, restored into an empty directory "
    "by each side in turn, from a changelog of its own with the same records. MB of keys and "
    "values a second, from the begin of the restore to its end as each side reports them."
)


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a process: seconds until all its tasks ran, and what it restored before."""

    running_s: float
    restored_records: int
    restore_s: float

    @property
    def restored_mb(self) -> float:
        return self.restored_records * RECORD_BYTES / 1e6

    @property
    def mb_per_s(self) -> float:
        return self.restored_mb / self.restore_s


@contextmanager
def values_job(bench: Bench, *, megabytes: int) -> Iterator[tuple[Job, int]]:
    """A job whose changelog is full already, and the number of records in it."""
    name = new_name("values")
    job = Job(
        name=name, input=f"{name}-input", what=What.VALUES, partitions=1, instance=f"{name}-1"
    )
    try:
        yield job, fill_changelog(bench, job, megabytes=megabytes)
    finally:
        bench.forget(job)


def start(bench: Bench, who: Who, job: Job, state: Path) -> tuple[Running, Start]:
    """Returns when all tasks run."""
    running = bench.start(who, job, state)
    at, _ = running.wait_for("running", timeout_s=RUNNING_S)
    ends = running.said("restore_end")
    return running, Start(
        running_s=at - running.started_at,
        restored_records=int(sum(field(line, "records") for line in ends)),
        restore_s=sum(field(line, "seconds") for line in ends),
    )


def run(bench: Bench, sizes: Sizes) -> Section:
    starts: dict[Who, list[Start]] = {who: [] for who in bench.subjects}
    with ExitStack() as stack:
        jobs = {
            who: stack.enter_context(values_job(bench, megabytes=sizes.restore_mb))
            for who in bench.subjects
        }
        for number in range(sizes.restore_pairs):
            for who in bench.subjects if number % 2 == 0 else bench.subjects[::-1]:
                done = _restore(bench, who, *jobs[who])
                starts[who].append(done)
                bench.say(
                    f"restore {number + 1} of {sizes.restore_pairs}, {who}: "
                    f"{done.mb_per_s:.0f} MB/s, running after {done.running_s:.1f} s"
                )
    return Section(
        name="restore",
        method=_METHOD.format(megabytes=sizes.restore_mb),
        rows=_rows(starts),
        raw={"starts": starts},
    )


def _restore(bench: Bench, who: Who, job: Job, records: int) -> Start:
    state = bench.folder / f"{job.name}-state"
    running, done = start(bench, who, job, state)
    running.stop()
    shutil.rmtree(state)
    if done.restored_records != records:
        raise InfrastructureError(f"{who} restored {done.restored_records} of {records} records")
    return done


def _rows(starts: dict[Who, list[Start]]) -> list[Row]:
    rates = {who: [each.mb_per_s for each in done] for who, done in starts.items()}
    app = mean(rates[Who.APP])
    rows = [
        Row(
            what="one task, 1 kB values",
            unit="MB/s",
            value=app.value,
            target="≥ 100 MB/s",
            verdict=at_least(app, 100.0),
        )
    ]
    if Who.PEER in rates:
        ratio = ratio_of(list(zip(rates[Who.APP], rates[Who.PEER], strict=True)))
        rows.append(
            Row(
                what="one task, 1 kB values",
                unit="MB/s",
                value=app.value,
                beside=Who.PEER,
                other=mean(rates[Who.PEER]).value,
                ratio=ratio,
                target="≥ 1.3 ×",
                verdict=at_least(ratio, 1.3),
            )
        )
    return rows
