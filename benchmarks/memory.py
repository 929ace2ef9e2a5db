"""Memory: how much 1 M accounts take, and whether it grows while the app goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.background import Background
from benchmarks.backlog import Backlog, fill_payments
from benchmarks.bench import Bench, Running
from benchmarks.drain import Offsets
from benchmarks.figures import BLOCK_S, Row, Section, at_most, slope_per_minute
from benchmarks.sizes import Sizes
from benchmarks.subjects import Job, Who, new_name
from benchmarks.traffic import Traffic
from eoscheck.errors import InfrastructureError
from eoscheck.measure.figures import Estimate

_SAMPLE_S = 1.0
_BOUND_MB = 500.0
_METHOD = (
    "Resident memory of the process after {accounts:,} payments of as many accounts (Kafka Streams "
    "with the JVM's default heap, a quarter of the memory: what it takes, not what it needs). Then "
    "{rate:,} payments a second for {seconds:.0f} s, memory sampled every second: the slope over "
    "the second half, by least squares over the means of {block:.0f} s. It goes on beside the "
    "kills of the recovery section, which are of other processes."
)

Samples = list[tuple[float, float]]


class MemoryRun(Background):
    """Samples the memory of `running` until `finish`."""

    def __init__(
        self, bench: Bench, sizes: Sizes, running: Running, filled_mb: dict[Who, float]
    ) -> None:
        self._bench = bench
        self._sizes = sizes
        self._running = running
        self._filled_mb = filled_mb
        self._samples: Samples = []
        self._began = time.monotonic()
        super().__init__("memory", self._sample)

    def finish(self) -> Section:
        """Waits until the time is over."""
        ends_at = self._began + self._sizes.memory_s
        self._bench.say(f"memory: {max(ends_at - time.monotonic(), 0):.0f} s to go")
        self.stopping.wait(max(ends_at - time.monotonic(), 0))
        self.close()
        self.check()
        return _section(self._sizes, self._filled_mb, self._samples)

    def _sample(self) -> None:
        while not self.stopping.wait(_SAMPLE_S):
            self._running.check()
            self._samples.append((time.monotonic() - self._began, self._running.rss_mb()))


@contextmanager
def memory_run(bench: Bench, sizes: Sizes) -> Iterator[MemoryRun]:
    """Begins when the store is full; what else is measured meanwhile is the caller's choice."""
    accounts = sizes.many_accounts
    backlog = fill_payments(bench, records=accounts, accounts=accounts, every_account=True)
    filled_mb: dict[Who, float] = {}
    with ExitStack() as stack:
        stack.callback(bench.forget_topics, backlog.topic)
        for who in bench.subjects:
            if who is not Who.APP:
                with _filled(bench, who, backlog) as running:
                    filled_mb[who] = running.rss_mb()
        running = stack.enter_context(_filled(bench, Who.APP, backlog))
        filled_mb[Who.APP] = running.rss_mb()
        for who, megabytes in filled_mb.items():
            bench.say(f"memory, {who}: {megabytes:.0f} MB with {accounts:,} accounts")
        traffic = Traffic(
            bench, backlog.topic, rate=sizes.memory_rate, accounts=accounts, first=accounts
        )
        stack.enter_context(traffic)
        yield stack.enter_context(MemoryRun(bench, sizes, running, filled_mb))
        traffic.check()


@contextmanager
def _filled(bench: Bench, who: Who, backlog: Backlog) -> Iterator[Running]:
    """A process that has worked off the backlog, and goes on."""
    job = Job(name=new_name("memory"), input=backlog.topic)
    offsets = Offsets(bench, job.name, backlog.topic)
    with bench.application(who, job) as state:
        running = bench.start(who, job, state)
        try:
            offsets.wait(backlog.records, running)
            yield running
        finally:
            running.stop()
            offsets.close()


def _section(sizes: Sizes, filled_mb: dict[Who, float], samples: Samples) -> Section:
    half = [sample for sample in samples if sample[0] >= sizes.memory_s / 2]
    if len(half) < 2:
        raise InfrastructureError("memory: too few samples for a slope")
    slope = slope_per_minute(half)
    app = filled_mb[Who.APP]
    figure = Estimate(value=app, low=None, high=None)
    rows = [
        Row(
            what=f"{sizes.many_accounts:,} accounts",
            unit="MB resident",
            value=app,
            beside=Who.PEER if Who.PEER in filled_mb else "",
            other=filled_mb.get(Who.PEER),
            target=f"< {_BOUND_MB:.0f} MB",
            verdict=at_most(figure, _BOUND_MB),
        ),
        Row(
            what=f"the last {sizes.memory_s / 2:.0f} s of {sizes.memory_s:.0f}",
            unit="MB a minute",
            value=slope.value,
            interval=slope,
            target="no growth",
            verdict="none seen" if slope.low is None or slope.low <= 0 else "grows",
        ),
        Row(
            what=f"largest in {sizes.memory_s:.0f} s",
            unit="MB resident",
            value=max(megabytes for _, megabytes in samples),
        ),
    ]
    method = _METHOD.format(
        accounts=sizes.many_accounts,
        rate=sizes.memory_rate,
        seconds=sizes.memory_s,
        block=BLOCK_S,
    )
    return Section(
        name="memory", method=method, rows=rows, raw={"filled": filled_mb, "samples": samples}
    )
