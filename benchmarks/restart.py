"""Restart after SIGKILL with the state directory kept: how long until all tasks run again."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.backlog import fill_input
from benchmarks.bench import Bench, Running
from benchmarks.drain import Offsets
from benchmarks.figures import Row, Section, at_most, mean
from benchmarks.restore import Start, start, values_job
from benchmarks.sizes import Sizes
from benchmarks.subjects import Job, Who
from eoscheck.measure.cost import ratio_of

_NEW_RECORDS = 200
_METHOD = (
    "A store of 1 kB values is restored, {records} more records are processed and committed, the "
    "process gets SIGKILL, and is started again on the same directory: seconds from the start of "
    "the new process until its task runs, and what it restored before. The sides take turns."
)


@dataclass
class _Side:
    """One subject and its store; `fed` records have gone into its input."""

    who: Who
    job: Job
    state: Path
    fed: int = 0
    starts: list[Start] = field(default_factory=list)


def run(bench: Bench, sizes: Sizes) -> Section:
    rows: list[Row] = []
    raw = {}
    for megabytes in sizes.restart_mb:
        starts = _restarts(bench, megabytes=megabytes, pairs=sizes.restart_pairs)
        rows += _rows(f"{megabytes:,} MB of state", starts)
        raw[f"{megabytes} MB"] = starts
    return Section(name="restart", method=_METHOD.format(records=_NEW_RECORDS), rows=rows, raw=raw)


def _restarts(bench: Bench, *, megabytes: int, pairs: int) -> dict[Who, list[Start]]:
    with ExitStack() as stack:
        sides = []
        for who in bench.subjects:
            job, _ = stack.enter_context(values_job(bench, megabytes=megabytes))
            state = bench.folder / f"{job.name}-state"
            stack.callback(shutil.rmtree, state, ignore_errors=True)
            sides.append(_Side(who=who, job=job, state=state))
        for side in sides:
            bench.say(f"restart with {megabytes:,} MB, {side.who}: making its state")
            running, _ = start(bench, side.who, side.job, side.state)
            _feed_and_kill(bench, side, running)
        for number in range(pairs):
            for side in sides if number % 2 == 0 else sides[::-1]:
                running, done = start(bench, side.who, side.job, side.state)
                side.starts.append(done)
                bench.say(
                    f"restart with {megabytes:,} MB, {side.who}: running after "
                    f"{done.running_s:.2f} s, {done.restored_mb:.1f} MB restored"
                )
                _feed_and_kill(bench, side, running)
        return {side.who: side.starts for side in sides}


def _feed_and_kill(bench: Bench, side: _Side, running: Running) -> None:
    offsets = Offsets(bench, side.job.name, side.job.input, side.job.partitions)
    try:
        fill_input(bench, side.job, records=_NEW_RECORDS)
        side.fed += _NEW_RECORDS
        offsets.wait(side.fed, running)
    finally:
        running.kill()
        offsets.close()


def _rows(what: str, starts: dict[Who, list[Start]]) -> list[Row]:
    seconds = {who: [each.running_s for each in done] for who, done in starts.items()}
    restored = {who: max(each.restored_mb for each in done) for who, done in starts.items()}
    app = mean(seconds[Who.APP]).value
    if Who.PEER not in starts:
        return [
            Row(what=what, unit="s to running", value=app),
            Row(what=what, unit="MB restored (most)", value=restored[Who.APP]),
        ]
    ratio = ratio_of(list(zip(seconds[Who.APP], seconds[Who.PEER], strict=True)))
    return [
        Row(
            what=what,
            unit="s to running",
            value=app,
            beside=Who.PEER,
            other=mean(seconds[Who.PEER]).value,
            ratio=ratio,
            target="≤ 1 ×",
            verdict=at_most(ratio, 1.0),
        ),
        Row(
            what=what,
            unit="MB restored (most)",
            value=restored[Who.APP],
            beside=Who.PEER,
            other=restored[Who.PEER],
        ),
    ]
