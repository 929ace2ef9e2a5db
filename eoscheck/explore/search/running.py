"""Schedules on a live cluster: each is one scenario file, one run, fresh topics."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from eoscheck.audit.findings import Verdict
from eoscheck.explore.search.outcome import Outcome, outcome_of
from eoscheck.explore.search.saved import Source, write_scenario
from eoscheck.explore.search.schedule import Schedule
from eoscheck.history import read_history
from eoscheck.run.naming import new_run_id, repeat_command
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import load_scenario
from eoscheck.run.trace import learned_steps, read_trace

SCHEDULE_FILE = "schedule.toml"
"""In a run's folder: the scenario that it was."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """`folder` gets a folder for each run; only those of runs that did not pass are kept."""

    source: Source
    on: Opened
    folder: Path

    def __call__(self, schedule: Schedule) -> Outcome:
        run_id = new_run_id("explore")
        folder = self.folder / run_id
        path = folder / SCHEDULE_FILE
        write_scenario(path, schedule, source=self.source, name="explore")
        try:
            result = run_scenario(
                load_scenario(path, run_id=run_id),
                on=self.on,
                folder=folder,
                run_id=run_id,
                repeat=repeat_command(["run", path]),
            )
        finally:
            forget_topics(self.on.cluster, run_id)
        steps = {} if self.on.wire is None else learned_steps(read_trace(folder))
        outcome = outcome_of(result, read_history(folder), steps=steps)
        if outcome.verdict is Verdict.PASS:
            shutil.rmtree(folder)
        return outcome
