"""A search without a cluster: runs are told by a predicate, and take what a fake clock says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from eoscheck.audit.findings import Verdict
from eoscheck.explore.search.outcome import Outcome
from eoscheck.explore.search.schedule import Schedule
from eoscheck.explore.search.space import Space
from eoscheck.load.spec import LoadSpec

SPACE = Space(
    kinds=("kill", "terminate", "restart", "pause", "scale-out", "twin"),
    instances=2,
    session_s=2.0,
    load=LoadSpec(topic="in", transaction_size=50, abort_ratio=0.05),
)
RUN_S = 10.0


@dataclass
class FakeClock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeRuns:
    """A run is red where `breaks` says so of its schedule; `ran` has all of them in order."""

    breaks: Callable[[Schedule], bool]
    clock: FakeClock = field(default_factory=FakeClock)
    ran: list[Schedule] = field(default_factory=list)

    def __call__(self, schedule: Schedule) -> Outcome:
        self.ran.append(schedule)
        self.clock.now += RUN_S
        red = self.breaks(schedule)
        return Outcome(
            verdict=Verdict.FAIL if red else Verdict.PASS,
            codes=("LOST",) if red else (),
            states=frozenset(schedule.kinds),
            folder=f"run-{len(self.ran)}",
        )


def seconds(duration: str) -> float:
    return int(duration.removesuffix("ms")) / 1000


def has(schedule: Schedule, kind: str, *, at_least_s: float = 0.0) -> bool:
    """Whether it has such a fault that lasts so long."""
    return any(
        fault["kind"] == kind and seconds(fault.get("down", "0ms")) >= at_least_s
        for fault in schedule.faults
    )
