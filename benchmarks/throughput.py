"""Throughput of a process: the app, Kafka Streams and the bare loop on the same backlog."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.backlog import Backlog, fill_payments
from benchmarks.bench import Bench
from benchmarks.drain import cpu_us, drain
from benchmarks.figures import Row, Section, at_least, mean
from benchmarks.sizes import Sizes
from benchmarks.subjects import Job, Who
from eoscheck.measure.cost import ratio_of
from eoscheck.measure.figures import Drain

INTERVALS_MS = (100, 1000)
_FEW_ACCOUNTS = 10_000
_TARGETS = {Who.PEER: 1.3, Who.BARE: 0.7}
_METHOD = (
    "Exactly-once; committed records a second while a preloaded backlog is drained, 4 partitions, "
    "one thread, about 200 B of JSON. Each drain is a fresh process; the first {skip:,} records of "
    "each are left out (a JVM needs them to get warm), the next {timed:,} are timed. The subjects "
    "take turns, in one order and then in the other."
)

Drains = dict[Who, list[Drain]]


def run(bench: Bench, sizes: Sizes) -> Section:
    rows: list[Row] = []
    raw = {}
    few = fill_payments(bench, records=sizes.backlog, accounts=_FEW_ACCOUNTS)
    many = fill_payments(bench, records=sizes.backlog, accounts=sizes.many_accounts)
    cases = (
        (few, sizes.rounds, (*bench.subjects, Who.BARE)),
        (many, sizes.many_rounds, bench.subjects),
    )
    for backlog, rounds, subjects in cases:
        drains = _drains(bench, sizes, backlog, rounds=rounds, subjects=subjects)
        for interval_ms, by_subject in drains.items():
            what = f"{interval_ms} ms, {backlog.accounts:,} accounts"
            rows += _rows(what, by_subject)
            raw[what] = by_subject
    bench.forget_topics(few.topic, many.topic)
    method = _METHOD.format(skip=sizes.warm.skip, timed=sizes.warm.timed)
    return Section(name="throughput", method=method, rows=rows, raw=raw)


def _drains(
    bench: Bench, sizes: Sizes, backlog: Backlog, *, rounds: int, subjects: Sequence[Who]
) -> dict[int, Drains]:
    drains: dict[int, Drains] = {ms: {who: [] for who in subjects} for ms in INTERVALS_MS}
    for number in range(rounds):
        for interval_ms in INTERVALS_MS:
            bench.say(f"throughput, {interval_ms} ms, round {number + 1} of {rounds}")
            job = Job(name="", input="", commit_interval_ms=interval_ms)
            for who in subjects if number % 2 == 0 else subjects[::-1]:
                drains[interval_ms][who].append(drain(bench, who, job, backlog, sizes.warm))
    return drains


def _rows(what: str, drains: Drains) -> list[Row]:
    app = drains[Who.APP]
    return [
        row
        for who, others in drains.items()
        if who is not Who.APP
        for row in (_rate(what, app, who, others), _cpu(what, app, who, others))
    ] or [Row(what=what, unit="records/s", value=_mean_rate(app))]


def _rate(what: str, app: list[Drain], who: Who, others: list[Drain]) -> Row:
    ratio = ratio_of([(a.records_per_s, b.records_per_s) for a, b in zip(app, others, strict=True)])
    return Row(
        what=what,
        unit="records/s",
        value=_mean_rate(app),
        beside=who,
        other=_mean_rate(others),
        ratio=ratio,
        target=f"≥ {_TARGETS[who]} ×",
        verdict=at_least(ratio, _TARGETS[who]),
    )


def _cpu(what: str, app: list[Drain], who: Who, others: list[Drain]) -> Row:
    ours, theirs = [cpu_us(d) for d in app], [cpu_us(d) for d in others]
    return Row(
        what=what,
        unit="µs CPU a record",
        value=mean(ours).value,
        beside=who,
        other=mean(theirs).value,
        ratio=ratio_of(list(zip(ours, theirs, strict=True))),
    )


def _mean_rate(drains: list[Drain]) -> float:
    return mean([drain.records_per_s for drain in drains]).value
