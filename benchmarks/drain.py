"""One drain: a fresh application works off a backlog, and a part of it is timed.

The part is told by committed offsets, the same for every subject: the first records, in which a
process starts and a JVM gets warm, are left out, and so is the end, where partitions run dry.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, TopicPartition

from benchmarks.backlog import PARTITIONS, Backlog
from benchmarks.bench import Bench, Running
from benchmarks.subjects import Job, Who, new_name
from eoscheck.cluster.connection import while_moving
from eoscheck.errors import InfrastructureError
from eoscheck.measure.figures import Drain

_LOOK_EVERY_S = 0.02
_TIMEOUT_S = 300.0
_ANSWER_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Window:
    """Records left out at the start, and records timed."""

    skip: int
    timed: int


class Offsets:
    """The committed offsets of a group that it is no member of."""

    def __init__(self, bench: Bench, group: str, topic: str, partitions: int = PARTITIONS) -> None:
        self._asker = Consumer(
            {
                **bench.clients,
                "group.id": group,
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
            }
        )
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]

    def total(self) -> int:
        answer = while_moving(
            lambda: self._asker.committed(self._partitions, _ANSWER_S), timeout_s=_ANSWER_S
        )
        return sum(max(at.offset, 0) for at in answer)

    def wait(self, records: int, running: Running, *, timeout_s: float = _TIMEOUT_S) -> None:
        """Until so many are committed."""
        deadline = time.monotonic() + timeout_s
        while self.total() < records:
            running.check()
            if time.monotonic() > deadline:
                raise InfrastructureError(f"{records} records not done within {timeout_s:g} s")
            time.sleep(_LOOK_EVERY_S)

    def close(self) -> None:
        self._asker.close()


def drain(bench: Bench, who: Who, settings: Job, backlog: Backlog, window: Window) -> Drain:
    """`settings` under a name of its own. Labelled with the guarantee and the subject."""
    job = replace(settings, name=new_name("drain"), input=backlog.topic)
    offsets = Offsets(bench, job.name, backlog.topic)
    with bench.application(who, job) as state:
        running = bench.start(who, job, state)
        try:
            result = _timed(offsets, running, window, label=f"{who}, {job.guarantee}")
        finally:
            running.stop()
            offsets.close()
    bench.say(
        f"  {who} {job.guarantee} {job.commit_interval_ms} ms, {backlog.accounts:,} accounts: "
        f"{result.records_per_s:,.0f} records/s, {cpu_us(result):.1f} µs CPU a record"
    )
    return result


def cpu_us(drain: Drain) -> float:
    """Microseconds of the subject's CPU a record."""
    assert drain.cpu_s is not None
    return drain.cpu_s / drain.records * 1e6


def _timed(offsets: Offsets, running: Running, window: Window, *, label: str) -> Drain:
    deadline = time.monotonic() + _TIMEOUT_S
    first: tuple[float, int, float] | None = None
    while (now := time.monotonic()) < deadline:
        done = offsets.total()
        if first is None:
            if done >= window.skip:
                first = (now, done, running.cpu_s())
        elif done >= first[1] + window.timed:
            return Drain(
                label=label,
                seconds=now - first[0],
                records=done - first[1],
                cpu_s=running.cpu_s() - first[2],
            )
        running.check()
        time.sleep(_LOOK_EVERY_S)
    raise InfrastructureError(f"{label}: not drained within {_TIMEOUT_S:g} s")
