"""`eos_run`: the runs of one test, each to a verdict that the test stands or falls by."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError
from eoscheck.explore.search.schedule import Schedule
from eoscheck.report.folders import as_demo
from eoscheck.report.html import write_html
from eoscheck.report.words import found
from eoscheck.run.naming import new_run_id
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.result import RunResult
from eoscheck.run.runner import plan_faults, run_scenario
from eoscheck.run.scenario import Scenario
from eoscheck.testing.document import Table, Tables, compose
from eoscheck.testing.failure import run_failure
from eoscheck.testing.settings import Asked

REPORT_FILE = "report.html"
_LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True)
class Test:
    """What a run has to know of its test. `again` is the command that repeats it; `folders` is
    where it looks for files by their relative paths."""

    __test__ = False

    node_id: str
    asked: Asked
    tables: Tables
    seed: int | None
    again: str
    folders: Sequence[Path]

    @property
    def name(self) -> str:
        return plain_name(self.node_id)


def plain_name(node_id: str) -> str:
    """A test's own name, as topics and folders may be called."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", node_id.rpartition("::")[2])
    return plain[:_LONGEST_NAME].strip("-")


def _nothing_shown(run: RunResult) -> bool:
    """A fault did not bite, and nothing was found: of faults that were drawn, some cannot."""
    return run.audit.verdict is Verdict.PASS and run.tally.missed > 0


def _next_example() -> None:
    """Hypothesis counts this one neither for nor against, and fails where all are so."""
    from hypothesis import currently_in_test_context, reject

    if currently_in_test_context():
        reject()


class Runner:
    """Makes a run and raises EosFailure where it does not come out as it must.

    `ground` gives a cluster to a scenario; `cluster_of` lays over a scenario's `[cluster]` what the
    session says; `report` is the folder for the folders of runs. `worker` keeps names of parallel
    workers apart.
    """

    def __init__(
        self,
        test: Test,
        *,
        ground: Callable[[Scenario], AbstractContextManager[Opened]],
        cluster_of: Callable[[ClusterSpec], ClusterSpec],
        report: Path,
        keep_all: bool = False,
        worker: str = "",
        run: Callable[..., RunResult] = run_scenario,
    ) -> None:
        self.test = test
        self.results: list[RunResult] = []
        self._last: RunResult | None = None
        self._ground = ground
        self._cluster_of = cluster_of
        self._report = report
        self._keep_all = keep_all
        self._worker = worker
        self._run = run

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.test.name}, {len(self.results)} made>"

    def __call__(
        self,
        *,
        subject: Table | None = None,
        load: Table | None = None,
        timing: Table | None = None,
        audit: Table | None = None,
        faults: Sequence[Table] | None = None,
        schedule: Schedule | None = None,
        seed: int | None = None,
        check: bool = True,
    ) -> RunResult:
        """One run, on fresh topics. Tables are as in a scenario file, over those of the fixtures;
        `schedule` is one that `eoscheck.strategies.schedules` drew; without `check` the result is
        only returned. Where a fault of a drawn schedule did not bite and nothing was found,
        Hypothesis is told that the example does not count.

        Raises EosFailure (an AssertionError), or UsageError and InfrastructureError where the run
        cannot be made.
        """
        __tracebackhide__ = True
        said = Tables(subject=subject, load=load, timing=timing, audit=audit, faults=faults)
        try:
            result = self._make(said, schedule, seed)
        except EoscheckError as error:
            # One line that names the fix: where in here it was raised helps nobody.
            raise error.with_traceback(None) from None
        if check and not result.as_expected:
            if schedule is not None and _nothing_shown(result):
                _next_example()
            raise run_failure(result, report=self.report_path)
        return result

    def _make(self, said: Tables, schedule: Schedule | None, seed: int | None) -> RunResult:
        run_id = new_run_id(self.test.name + self._worker)
        scenario = self._scenario(said, schedule, run_id=run_id)
        if seed is None:
            seed = self.test.seed if schedule is None else schedule.seed
        plan_faults(scenario, seed=scenario.seed if seed is None else seed)
        self._drop_last()
        with self._ground(scenario) as ground:
            try:
                result = self._run(
                    scenario,
                    on=ground,
                    folder=self._report / run_id,
                    run_id=run_id,
                    seed=seed,
                    repeat=self.test.again,
                )
            finally:
                forget_topics(ground.cluster, run_id)
        self.results.append(result)
        self._last = result
        return result

    def _scenario(self, said: Tables, schedule: Schedule | None, *, run_id: str) -> Scenario:
        def composed(tables: Tables) -> Scenario:
            scenario = compose(
                self.test.asked,
                tables.over(self.test.tables),
                name=self.test.name,
                title=self.test.node_id,
                run_id=run_id,
                folders=self.test.folders,
            )
            cluster = self._cluster_of(scenario.cluster)
            return msgspec.structs.replace(scenario, cluster=cluster)

        if schedule is None:
            return composed(said)
        instances = composed(said).instances
        return composed(said.with_schedule(schedule, instances=instances))

    @property
    def made_last(self) -> bool:
        """False before the first run, and where the last one could not be made."""
        return self._last is not None

    @property
    def last(self) -> RunResult:
        assert self._last is not None
        return self._last

    @property
    def report_path(self) -> Path:
        """Of the last run; written where its test fails."""
        return Path(self.last.folder) / REPORT_FILE

    def write_report(self) -> str:
        """Its path; why there is none, where it cannot be written: the test failed anyway, and says
        more than that."""
        try:
            return str(write_html(as_demo([self.last]), path=self.report_path))
        except OSError as error:
            return f"{self.report_path} could not be written: {error.strerror}"

    def properties(self) -> list[tuple[str, str]]:
        """Of the last run, for JUnit XML."""
        run = self.last
        return [
            ("eos_scenario", run.scenario),
            ("eos_seed", str(run.seed)),
            ("eos_guarantee", run.guarantee.value),
            ("eos_verdict", run.verdict.value),
            ("eos_findings", found(run.audit.anomalies)),
            ("eos_faults", f"{run.tally.injected} of {run.tally.planned}"),
            ("eos_runs", str(len(self.results))),
            ("eos_repeat", run.repeat),
        ]

    def close(self, *, failed: bool) -> None:
        """The folder of the last run stays where its test failed."""
        if not failed:
            self._drop_last()

    def _drop_last(self) -> None:
        if self._last is not None and not self._keep_all:
            shutil.rmtree(self._last.folder, ignore_errors=True)
        self._last = None
