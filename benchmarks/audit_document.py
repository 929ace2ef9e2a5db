"""docs/audit-speed.md: the tables of a whole run of the auditor's benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Section
from benchmarks.subjects import ROOT
from benchmarks.table import markdown_table, number

DOCUMENT = ROOT / "docs/audit-speed.md"
_BOUNDS = ROOT / "benchmarks/audit-bounds.md"
_PREFACE = """\
# How fast the auditor is

The last whole `make bench-audit` (it writes this file). Every reading is a process of its own; all
contenders read the same topic in the same run, in turns whose order is reversed every round (A B C,
C B A), after one reading of each that is thrown away, so that the page cache and compiled code are
warm. A ratio is the geometric mean over rounds, with Student's 95 % interval of its logarithm; it
holds for other machines, seconds for this one. "within the noise": the interval holds the target.
Whoever finds anything but exactly what was planted, or counts other than all committed records,
fails the run.

- **floor**: the auditor's own connections and threads, batch headers read, no checksum, no record.
- **audit**: the auditor, in its process: the clock starts after the imports and two audits of a
  small topic, which load compiled code. Ten findings of each code are shown with their evidence.
  "100 findings shown" is the same with the default of `--max-findings`: evidence costs by the
  finding, not by the record.
- **eoscheck audit**: the whole command, from its start to its end, with the defaults.
- **audit --reader client**: the same audit on records from librdkafka, and batch headers beside.
- **ConsumerPerformance**: Kafka's own, `read_committed`. It only counts. Its wall is its own
  `fetch.time.ms`, without the group's start; CPU is its whole process, since a JVM has no other.
- **confluent-kafka loop**: `consume(10_000)`, garbage collection off, a set of numbers. Finds
  duplicates and gaps and nothing else. **kafka-python loop**: the same on kafka-python.

CPU is user and system time of the reader's process, without the broker's. MB are 2^20 bytes.
"""


def write_document(
    sections: Sequence[Section], about: Mapping[str, str], path: Path = DOCUMENT
) -> Path:
    lines = [_PREFACE, *(f"- {name}: {value}" for name, value in about.items()), ""]
    for section in sections:
        lines += [f"## {section.name.capitalize()}", "", section.method, ""]
        lines += [*markdown_table(section), "", *_medians(section)]
    lines.append(_BOUNDS.read_text(encoding="utf-8"))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _medians(section: Section) -> Iterator[str]:
    rows = section.raw.get("medians")
    if not rows:
        return
    yield "Medians; in brackets those of the whole process, from its start to its end:"
    yield ""
    yield "| contender | rounds | wall s | CPU s | RSS MB | records/s | CPU µs a record |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for row in rows:
        cells = (
            row["contender"],
            str(row["rounds"]),
            f"{number(row['wall_s'])} ({number(row['whole_wall_s'])})",
            f"{number(row['cpu_s'])} ({number(row['whole_cpu_s'])})",
            f"{row['rss_mb']:.0f}",
            f"{row['records'] / row['wall_s']:,.0f}",
            number(row["cpu_s"] / row["records"] * 1e6),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
