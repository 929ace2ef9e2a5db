"""Finished runs, read back from the folders they left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eoscheck.errors import UsageError
from eoscheck.history.recorder import HISTORY_FILE
from eoscheck.run.kept import read_kept
from eoscheck.run.result import DEMO_FILE, RESULT_FILE, DemoResult, RunResult


def read_folders(folders: Sequence[Path]) -> DemoResult:
    """What to report of these folders: one demo's folder as it was, or runs shown as one.

    Raises UsageError, one line, where a folder is neither, or holds what cannot be read.
    """
    if len(folders) == 1 and (folders[0] / DEMO_FILE).is_file():
        return read_kept(folders[0] / DEMO_FILE, DemoResult)
    return as_demo([read_run(folder) for folder in folders])


def read_run(folder: Path) -> RunResult:
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}: give the folder of a finished run")
    path = folder / RESULT_FILE
    if path.is_file():
        return read_kept(path, RunResult)
    if (folder / DEMO_FILE).is_file():
        raise UsageError(f"{folder} holds a whole demo: report it alone, or name its runs' folders")
    if (folder / HISTORY_FILE).is_file():
        raise UsageError(f"{folder} holds a run that did not finish: it has no {RESULT_FILE}")
    raise UsageError(f"{folder} is not a run's folder: it has no {RESULT_FILE}")


def as_demo(runs: Sequence[RunResult]) -> DemoResult:
    """Runs shown as one: a pure function of them, so that the same report can be made again."""
    titles = list(dict.fromkeys(run.title for run in runs))
    return DemoResult(
        title=titles[0] if len(titles) == 1 else f"{len(runs)} runs",
        runs=list(runs),
        cost=None,
        repeat=" && ".join(dict.fromkeys(run.repeat for run in runs)),
        generated_at=max(run.started_at for run in runs),
    )
