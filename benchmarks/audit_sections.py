"""The sections of the auditor's benchmark: speed, formats, memory, growth."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from scipy import stats

from benchmarks.audit_contenders import Contender, Taken, Work, java_is_there, take
from benchmarks.audit_dense import fill_dense
from benchmarks.audit_sizes import Sizes
from benchmarks.audit_topics import Filled, fill
from benchmarks.figures import Row, Section, at_least, at_most, mean
from eoscheck.cluster import delete_topics
from eoscheck.measure.cost import ratio_of

FLOOR_TARGET = 2.5
JAVA_TARGET = 2.5
RSS_TARGET_MB = 300.0
_WITHIN = 1.1
"""`--memory` is kept within a tenth."""
_WARM_RECORDS = 10_000


@dataclass(kw_only=True)
class Stand:
    """Where it is measured, and the topics that sections share, which go away at the end. They are
    made by the process of `writer`."""

    client_config: Mapping[str, str]
    sizes: Sizes
    writer: Executor
    say: Callable[[str], None]
    _topics: dict[str, Filled] = field(default_factory=dict)
    _prefix: str = field(default_factory=lambda: f"bench-audit-{uuid.uuid4().hex[:8]}")

    @property
    def server(self) -> str:
        return self.client_config["bootstrap.servers"]

    def topic(self, name: str, make: Callable[..., Filled] = fill, **settings: Any) -> Filled:
        if name not in self._topics:
            self.say(f"writing {name}: {settings.get('records', 0):,} records")
            topic = f"{self._prefix}-{name}"
            made = self.writer.submit(make, dict(self.client_config), topic, **settings)
            self._topics[name] = made.result()
        return self._topics[name]

    @contextmanager
    def passing(self, name: str, **settings: Any) -> Iterator[Filled]:
        """A topic that is gone afterwards: there may be no room for all of them at once."""
        try:
            yield self.topic(name, **settings)
        finally:
            self.forget(name)

    def work(self, filled: Filled, **settings: Any) -> Work:
        warm = self.topic("warm", records=_WARM_RECORDS, duplicates=10, gaps=5)
        return Work(filled=filled, warm=warm.topic, **settings)

    def main(self) -> Filled:
        sizes = self.sizes
        return self.topic(
            "main", records=sizes.records, duplicates=sizes.duplicates, gaps=sizes.gaps
        )

    def take(self, contender: Contender, work: Work) -> Taken:
        taken = take(contender, work, server=self.server)
        self.say(
            f"{contender}: {taken.wall_s:.2f} s, CPU {taken.cpu_s:.2f} s (the whole process "
            f"{taken.whole_wall_s:.2f} s, {taken.whole_cpu_s:.2f} s), {taken.rss_mb:.0f} MB"
        )
        return taken

    def forget(self, name: str) -> None:
        found = self._topics.pop(name, None)
        if found is not None:
            delete_topics(self.client_config, [found.topic])

    def close(self) -> None:
        for name in list(self._topics):
            self.forget(name)


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Readings of one work, by contender, in the order of their rounds."""

    taken: Mapping[Contender, list[Taken]]

    def compare(
        self, over: Contender, under: Contender, figure: str, *, note: str = "", **target: float
    ) -> Row:
        """The ratio of `over` to `under`, round by round, against `at_most` or `at_least`."""
        a, b = self.of(over, figure), self.of(under, figure)
        ratio = ratio_of(list(zip(a, b, strict=False)))
        verdict, aim = "", ""
        if "at_most" in target:
            aim, verdict = f"≤ {target['at_most']:g}", at_most(ratio, target["at_most"])
        if "at_least" in target:
            aim, verdict = f"≥ {target['at_least']:g}", at_least(ratio, target["at_least"])
        return Row(
            what=f"{over} / {under}, {note or _WORDS[figure]}",
            unit="s",
            value=mean(a).value,
            beside=str(under),
            other=mean(b[: len(a)]).value,
            ratio=ratio,
            target=aim,
            verdict=verdict,
        )

    def of(self, contender: Contender, figure: str) -> list[float]:
        return [float(getattr(taken, figure)) for taken in self.taken.get(contender, [])]

    def medians(self) -> list[dict[str, Any]]:
        return [
            {
                "contender": str(contender),
                "rounds": len(found),
                **{name: median(self.of(contender, name)) for name in _WORDS},
                "records": int(found[0].answer["records"]),
            }
            for contender, found in self.taken.items()
            if found
        ]

    def raw(self) -> dict[str, Any]:
        return {
            str(who): [dataclasses.asdict(t) for t in found] for who, found in self.taken.items()
        }


_WORDS = {
    "wall_s": "wall",
    "cpu_s": "CPU",
    "whole_wall_s": "wall of the process",
    "whole_cpu_s": "CPU of the process",
    "rss_mb": "RSS",
}


def rounds_of(stand: Stand, work: Work, contenders: Mapping[Contender, int]) -> Rounds:
    """Each contender so many times, in turns whose order is reversed every time; one reading of
    each is thrown away before."""
    if stand.sizes.warm_up:
        for contender in contenders:
            stand.take(contender, work)
    taken: dict[Contender, list[Taken]] = {contender: [] for contender in contenders}
    for number in range(max(contenders.values())):
        turn = [each for each, times in contenders.items() if number < times]
        for contender in turn if number % 2 == 0 else turn[::-1]:
            taken[contender].append(stand.take(contender, work))
    return Rounds(taken=taken)


def speed(stand: Stand) -> Section:
    work, sizes = stand.work(stand.main()), stand.sizes
    small = stand.work(stand.topic("small", records=sizes.few_records, duplicates=100, gaps=50))
    stand.say("the audit names each duplicate and gap that was planted, and nothing else:")
    stand.take(Contender.EVIDENCE, small)
    contenders = {
        Contender.FLOOR: sizes.rounds,
        Contender.AUDIT: sizes.rounds,
        **({Contender.JAVA: sizes.rounds} if java_is_there() else {}),
        Contender.COMMAND: sizes.rounds,
        Contender.EVIDENCE: sizes.slow_rounds,
        Contender.CLIENT: sizes.slow_rounds,
        Contender.LOOP: sizes.slow_rounds,
    }
    found = rounds_of(stand, work, contenders)
    rows = [*_against_floor(found), *_against_java(found)]
    for other in (Contender.LOOP, Contender.CLIENT):
        rows += [found.compare(other, Contender.AUDIT, name) for name in ("wall_s", "cpu_s")]
    rows += [
        found.compare(Contender.EVIDENCE, Contender.FLOOR, name) for name in ("wall_s", "cpu_s")
    ]
    rows.append(_rss(found, Contender.COMMAND, RSS_TARGET_MB, "--memory 512MB, the default"))
    few = rounds_of(
        stand,
        small,
        {Contender.KAFKA_PYTHON: sizes.slow_rounds, Contender.AUDIT: sizes.slow_rounds},
    )
    rows.append(_a_record(few, found, "wall_s"))
    rows.append(_a_record(few, found, "cpu_s"))
    return Section(
        name="speed",
        method=(
            f"{sizes.records:,} records of about 100 B in 4 partitions, transactions of 1000, "
            f"3.5 % of them aborted; {len(work.filled.duplicates):,} duplicates and "
            f"{len(work.filled.gaps):,} gaps planted. {sizes.rounds} rounds, {sizes.slow_rounds} "
            f"of the slow ones. kafka-python reads a topic of {sizes.few_records:,} records: its "
            "figures are compared by the record."
        ),
        rows=rows,
        raw={"medians": found.medians() + few.medians()[:1], "rounds": found.raw() | few.raw()},
    )


def formats(stand: Stand) -> Section:
    sizes = stand.sizes
    rows: list[Row] = []
    raw: dict[str, Any] = {"medians": []}
    kinds: dict[str, dict[str, Any]] = {
        "zstd": {"records": sizes.records, "compression": "zstd"},
        "lz4": {"records": sizes.records, "compression": "lz4"},
        "1 kB": {"records": sizes.large_records, "value_bytes": 1000},
    }
    for kind, settings in kinds.items():
        name = kind.replace(" ", "")
        with stand.passing(
            name, duplicates=sizes.duplicates, gaps=sizes.gaps, **settings
        ) as filled:
            contenders = {Contender.FLOOR: sizes.slow_rounds, Contender.AUDIT: sizes.slow_rounds}
            if java_is_there():
                contenders[Contender.JAVA] = sizes.slow_rounds
            found = rounds_of(stand, stand.work(filled), contenders)
        labelled = [*_against_floor(found), *_against_java(found)]
        rows += [dataclasses.replace(row, what=f"{kind}: {row.what}") for row in labelled]
        raw[kind] = found.raw()
        raw["medians"] += [
            {**row, "contender": f"{kind}: {row['contender']}"} for row in found.medians()
        ]
    return Section(
        name="formats",
        method=(
            f"The same work compressed, and {sizes.large_records:,} records of 1 kB. "
            f"{sizes.slow_rounds} rounds. The floor decompresses nothing: it reads headers."
        ),
        rows=rows,
        raw=raw,
    )


def memory(stand: Stand) -> Section:
    sizes = stand.sizes
    rows, raw = [], []
    for name, records, limit, uuids in (
        ("dense integers", sizes.dense, 512, False),
        ("UUIDs", sizes.uuids, 1024, True),
    ):
        with stand.passing(
            name.replace(" ", "-"),
            make=fill_dense,
            records=records,
            uuids=uuids,
            duplicates=sizes.duplicates,
            gaps=sizes.gaps,
        ) as filled:
            work = stand.work(filled, memory_mb=limit, uuids=uuids)
            taken = stand.take(Contender.AUDIT, work)
        raw.append(dataclasses.asdict(taken))
        met = taken.rss_mb <= limit * (_WITHIN if uuids else 1)
        rows += [
            Row(
                what=f"{records:,} {name}, --memory {limit}MB: highest RSS",
                unit="MB",
                value=taken.rss_mb,
                target=f"≤ {limit}" + (" within 10 %" if uuids else ""),
                verdict="met" if met else f"missed by {taken.rss_mb / limit - 1:.0%}",
            ),
            Row(what="the same: wall", unit="s", value=taken.wall_s),
            Row(what="the same: CPU a record", unit="µs", value=taken.cpu_s / records * 1e6),
        ]
    return Section(
        name="memory",
        method=(
            "Keys of nine digits, or UUIDs, and empty values, without transactions; duplicates "
            "(and gaps between the numbers) are planted and found. One reading each. MB are 2^20 "
            "bytes, as --memory takes them."
        ),
        rows=rows,
        raw={"readings": raw},
    )


def growth(stand: Stand) -> Section:
    """How cost grows with records, and with what is wrong."""
    sizes = stand.sizes
    points: list[tuple[int, Taken]] = []
    for records in sizes.growing:
        if records == sizes.records:
            points += _readings(stand, stand.main())
            continue
        planted = {"duplicates": sizes.duplicates, "gaps": sizes.gaps}
        with stand.passing(f"of-{records}", records=records, **planted) as filled:
            points += _readings(stand, filled)
    line = stats.linregress([n for n, _ in points], [t.cpu_s for _, t in points])
    rows = [
        Row(
            what=f"{records:,} records: CPU a record",
            unit="µs",
            value=median(t.cpu_s for n, t in points if n == records) / records * 1e6,
        )
        for records in sorted({n for n, _ in points})
    ]
    rows.append(
        Row(
            what=f"CPU s = {line.intercept:.2f} + {line.slope * 1e6:.3f} × million records: R²",
            unit="",
            value=float(line.rvalue) ** 2,
            target="a line",
        )
    )
    by_duplicates: dict[int, list[Taken]] = {}
    for duplicates in sizes.wrong:
        with stand.passing(
            f"with-{duplicates}", records=sizes.records, duplicates=duplicates, gaps=sizes.gaps
        ) as filled:
            by_duplicates[duplicates] = [taken for _, taken in _readings(stand, filled)]
    none = [taken.cpu_s for taken in by_duplicates[sizes.wrong[0]]]
    for duplicates, found in by_duplicates.items():
        cpu = [taken.cpu_s for taken in found]
        rows.append(
            Row(
                what=f"{sizes.records:,} records, {duplicates:,} duplicates: CPU",
                unit="s",
                value=median(cpu),
                beside="without",
                other=median(none),
                ratio=ratio_of(list(zip(cpu, none, strict=True))),
            )
        )
    return Section(
        name="growth",
        method=(
            f"The audit alone, {sizes.slow_rounds} readings of each topic, once warm; ten findings "
            "of each code are shown, all are counted."
        ),
        rows=rows,
        raw={
            "records": [(n, dataclasses.asdict(t)) for n, t in points],
            "duplicates": {
                n: [dataclasses.asdict(t) for t in found] for n, found in by_duplicates.items()
            },
        },
    )


SECTIONS: dict[str, Callable[[Stand], Section]] = {
    "speed": speed,
    "formats": formats,
    "memory": memory,
    "growth": growth,
}


def _readings(stand: Stand, filled: Filled) -> list[tuple[int, Taken]]:
    work = stand.work(filled)
    readings = range(stand.sizes.slow_rounds)
    return [(filled.committed, stand.take(Contender.AUDIT, work)) for _ in readings]


def _against_floor(found: Rounds) -> list[Row]:
    """Both once warm; and process beside process."""
    pairs = [(Contender.AUDIT, "wall_s"), (Contender.AUDIT, "cpu_s")]
    if found.taken.get(Contender.COMMAND):
        pairs += [(Contender.COMMAND, "whole_wall_s"), (Contender.COMMAND, "whole_cpu_s")]
    return [
        found.compare(contender, Contender.FLOOR, figure, at_most=FLOOR_TARGET)
        for contender, figure in pairs
    ]


def _against_java(found: Rounds) -> list[Row]:
    """Java's own time of fetching beside the audit once warm; and process beside process."""
    if not found.taken.get(Contender.JAVA):
        return []
    rows = [
        found.compare(Contender.JAVA, Contender.AUDIT, figure, note=note, at_least=JAVA_TARGET)
        for figure, note in (("wall_s", "wall of fetching"), ("cpu_s", "CPU"))
    ]
    if found.taken.get(Contender.COMMAND):
        rows += [
            found.compare(Contender.JAVA, Contender.COMMAND, figure, at_least=JAVA_TARGET)
            for figure in ("whole_wall_s", "whole_cpu_s")
        ]
    return rows


def _rss(found: Rounds, contender: Contender, target: float, how: str) -> Row:
    highest = max(found.of(contender, "rss_mb"))
    return Row(
        what=f"{contender}: highest RSS ({how})",
        unit="MB",
        value=highest,
        target=f"≤ {target:g}",
        verdict="met" if highest <= target else f"missed by {highest / target - 1:.0%}",
    )


def _a_record(few: Rounds, found: Rounds, figure: str) -> Row:
    """kafka-python's cost of a record beside the audit's, on topics of different sizes."""

    def each(rounds: Rounds, contender: Contender) -> Sequence[float]:
        records = rounds.taken[contender][0].answer["records"]
        return [value / records * 1e6 for value in rounds.of(contender, figure)]

    slow, fast = each(few, Contender.KAFKA_PYTHON), each(found, Contender.AUDIT)
    return Row(
        what=f"{Contender.KAFKA_PYTHON} / {Contender.AUDIT}, {_WORDS[figure]} a record",
        unit="µs",
        value=mean(slow).value,
        beside=str(Contender.AUDIT),
        other=mean(fast).value,
        ratio=ratio_of(list(zip(slow, fast, strict=False))),
    )
