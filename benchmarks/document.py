"""What is kept of a run: a JSON file with everything, and docs/benchmarks.md, its tables."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.figures import Section
from benchmarks.subjects import ROOT
from benchmarks.table import markdown_table

REPORTS = ROOT / "reports/bench"
DOCUMENT = ROOT / "docs/benchmarks.md"
MEASURED_PART = ROOT / "benchmarks/measured.md"
"""What `python -m benchmarks.measured` last wrote: the end of the document."""
_MEASURED_BEGINS = "## Measured with eoscheck measure"
_WHERE_THE_TIME_GOES = ROOT / "benchmarks/where-the-time-goes.md"
_PREFACE = """\
# Benchmarks

The last whole `make bench` (it writes this file). Two sides of a comparison run in the same run, on
the same input, in turns (A B, B A); a ratio is the geometric mean over such pairs, with Student's
95 % interval of its logarithm. Ratios hold for other machines, absolute figures for this one.
CPU a record is the subject's own, without the broker's. "within the noise": the interval holds
the target. Kafka Streams is the app in `benchmarks/peers/java-streams`, set as its README says.
"""


def write_json(sections: Sequence[Section], about: Mapping[str, str], now: datetime) -> Path:
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / f"{now:%Y-%m-%dT%H%M%SZ}.json"
    content = {"about": about, "sections": [dataclasses.asdict(each) for each in sections]}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2))
    return path


def write_document(sections: Sequence[Section], about: Mapping[str, str]) -> Path:
    lines = [_PREFACE, *(f"- {name}: {value}" for name, value in about.items()), ""]
    for section in sections:
        lines += [f"## {section.name.capitalize()}", "", section.method, ""]
        lines += [*markdown_table(section), ""]
    lines.append(_WHERE_THE_TIME_GOES.read_text(encoding="utf-8"))
    DOCUMENT.write_text(with_measured("\n".join(lines), MEASURED_PART), encoding="utf-8")
    return DOCUMENT


def with_measured(text: str, part: Path) -> str:
    """The document with `part`, where there is one, in place of the one it ends with."""
    kept = text.partition(_MEASURED_BEGINS)[0].rstrip("\n") + "\n"
    return f"{kept}\n{part.read_text(encoding='utf-8')}" if part.is_file() else kept


def about_this_run(environment: Mapping[str, str], now: datetime, options: str) -> dict[str, str]:
    return {
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "command": f"make bench{options}",
        "processor": _processor(),
        **environment,
    }


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "reference_app", "benchmarks", "eoscheck")
    return (git("rev-parse", "--short=10", "HEAD") or "unknown") + (" and changes" * bool(changed))


def _processor() -> str:
    """Its name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def now() -> datetime:
    return datetime.now(tz=UTC)
