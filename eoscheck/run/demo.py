"""The whole tool once, on the reference app: what must pass passes, what must fail fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eoscheck.durations import parse_duration
from eoscheck.history import Event
from eoscheck.run.backlog import Backlog
from eoscheck.run.cost import measure_cost
from eoscheck.run.naming import repeat_run
from eoscheck.run.opened import Opened
from eoscheck.run.result import DEMO_FILE, DemoResult
from eoscheck.run.runner import plan_faults, run_scenario
from eoscheck.run.scenario import Scenario, load_scenario
from eoscheck.run.setting import Setting

BUG = "bug-offsets-before-outputs"
RUNS = ("kill-exactly-once", "kill-at-least-once", BUG)
COST = ("drain-exactly-once", "drain-at-least-once")


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """`faults`: how long the faults of the first two runs are spread over; the run with the bug
    keeps its own, shorter time. `records` and `pairs` are the size of the cost measurement."""

    seed: int = 1
    faults: str = "20s"
    records: int = 200_000
    pairs: int = 4

    def __post_init__(self) -> None:
        """Refuses what cannot be scheduled, before a broker is started for it."""
        parse_duration(self.faults, what="--duration")
        for name in RUNS:
            plan_faults(self.scenario(name, run_id="checked"), seed=self.seed)

    def overrides(self, name: str) -> list[str]:
        return [] if name == BUG else [f"timing.faults={self.faults}"]

    def scenario(self, name: str, *, run_id: str) -> Scenario:
        return load_scenario(name, run_id=run_id, overrides=self.overrides(name))


def run_demo(
    plan: DemoPlan,
    *,
    on: Opened,
    folder: Path,
    run_id: str,
    repeat: str,
    watch: Callable[[str], AbstractContextManager[Callable[[Event], None]]],
    progress: Callable[[str], None],
) -> DemoResult:
    """Runs the demo's scenarios one after the other, then the paired drains.

    `watch(title)` gives a listener for one run's events; `progress` gets lines for the rest.
    """
    runs = []
    for name in RUNS:
        own_id = f"{name}-{run_id}"
        scenario = plan.scenario(name, run_id=own_id)
        with watch(scenario.title) as listener:
            runs.append(
                run_scenario(
                    scenario,
                    on=on,
                    folder=folder / name,
                    run_id=own_id,
                    seed=plan.seed,
                    repeat=repeat_run(name, seed=plan.seed, overrides=plan.overrides(name)),
                    listener=listener,
                )
            )
    with Backlog(on, seed=plan.seed) as backlog:
        cost = measure_cost(
            measured=Setting(source=COST[0]),
            baseline=Setting(source=COST[1]),
            ground=on,
            backlog=backlog,
            folder=folder / "cost",
            run_id=run_id,
            records=plan.records,
            pairs=plan.pairs,
            progress=progress,
        )
    result = DemoResult(
        title="eoscheck demo",
        runs=runs,
        cost=cost,
        repeat=repeat,
        generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    (folder / DEMO_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return result
