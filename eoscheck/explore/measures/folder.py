"""The folder of a measure: what it found out, above the folders of the runs it was taken from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eoscheck.errors import UsageError
from eoscheck.measure.measured import MEASURED_FILE, Measured
from eoscheck.run.kept import read_kept
from eoscheck.run.naming import new_run_id


@dataclass(frozen=True, kw_only=True)
class MeasureFolder:
    """`measure_id` is its name, and part of the names of its runs; `started_at` as Measured has
    it."""

    path: Path
    measure_id: str
    started_at: str

    def run_id(self, number: int) -> str:
        """Of the run of that number, from 1: legal in a topic's name."""
        return f"{self.measure_id}-{number}"

    def run_folder(self, run_id: str) -> Path:
        return self.path / run_id

    def keep(self, measured: Measured) -> Path:
        """Writes `measured.json`, and returns its path."""
        file = self.path / MEASURED_FILE
        self.path.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(measured)))
        return file


def measure_folder(report: Path, *, what: str, scenario: str) -> MeasureFolder:
    """A fresh one below `report`; it is made with the first file in it."""
    measure_id = new_run_id(f"measure-{what}-{scenario}")
    return MeasureFolder(
        path=report / measure_id,
        measure_id=measure_id,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read_measured(folder: Path) -> Measured:
    """Raises UsageError, one line, where the folder is not a measure's or cannot be read."""
    path = folder / MEASURED_FILE
    if not path.exists():
        raise UsageError(f"{folder} is not a measure's folder: it has no {MEASURED_FILE}")
    return read_kept(path, Measured, what="measure")
