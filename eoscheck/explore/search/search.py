"""The search: propose, run, confirm, shrink, within a budget of time.

Real systems are not deterministic. A red run is a finding in any case, for the audit has evidence;
but only one that comes red again is worth shrinking, and the search goes on past one that does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.explore.search.budget import Budget
from eoscheck.explore.search.candidates import propose
from eoscheck.explore.search.novelty import Novelty
from eoscheck.explore.search.outcome import Outcome
from eoscheck.explore.search.schedule import Schedule, check_fits, in_words
from eoscheck.explore.search.shelf import Shelf
from eoscheck.explore.search.shrink import Steadiness, proven, smallest
from eoscheck.explore.search.small_scope import single_faults
from eoscheck.explore.search.space import Space

_ROUND = 150
"""Candidates until Hypothesis begins anew. A few of them are run: it has something to aim by, and
some that are aimed."""
_CONFIRMATIONS = 2
_BROKEN_IN_A_ROW = 3


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that failed. `red` of `runs` of just this schedule; `shrunk_from`: how many faults
    it had; `folder`: of its last red run; `by_database`: an earlier search had found it."""

    schedule: Schedule
    codes: tuple[str, ...]
    folder: str
    red: int
    runs: int
    shrunk_from: int
    after_s: float
    by_database: bool = False

    @property
    def repeated(self) -> bool:
        return self.red > 1


class Exploration(msgspec.Struct, frozen=True, kw_only=True):
    """What a search came to. `runs` by verdict; `unknowns`: why runs were unknown, with how often;
    `once`: those that failed and did not again; `hopeless`: kinds that never bit."""

    found: Found | None
    once: tuple[Found, ...]
    runs: dict[str, int]
    unknowns: dict[str, int]
    states: tuple[str, ...]
    hopeless: tuple[str, ...]
    used_s: float
    interrupted: bool

    @property
    def worst(self) -> Found | None:
        """What is to be shown: one that repeats, else the first that was seen."""
        return self.found or (self.once[0] if self.once else None)


class Search:
    """`run` runs one schedule, in seconds; `progress` gets a line for each thing that happens.

    `explore` ends with whatever was found so far, also at Ctrl-C. Raises InfrastructureError where
    several runs one after the other could not be made.
    """

    def __init__(
        self,
        *,
        space: Space,
        run: Callable[[Schedule], Outcome],
        budget: Budget,
        shelf: Shelf,
        seed: int = 1,
        home: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._space = space
        self._run = run
        self._budget = budget
        self._shelf = shelf
        self._seed = seed
        self._home = home
        self._progress = progress
        self._novelty = Novelty(space)
        self._found: Found | None = None
        self._once: list[Found] = []
        self._reds: dict[bytes, Outcome] = {}
        self._runs: Counter[str] = Counter()
        self._unknowns: Counter[str] = Counter()
        self._broken = 0

    def explore(self) -> Exploration:
        interrupted = False
        try:
            self._without_faults()
            self._replay()
            self._singles()
            while not self._over():
                propose(
                    self._space,
                    visit=self._visit,
                    seed_=self._seed,
                    number=_ROUND,
                    home=self._home,
                )
                self._seed += 1
            if self._found is not None:
                self._reduce(self._found)
        except KeyboardInterrupt:
            interrupted = True
        return Exploration(
            found=self._found,
            once=tuple(self._once),
            runs=dict(self._runs),
            unknowns=dict(self._unknowns.most_common()),
            states=tuple(sorted(self._novelty.states)),
            hopeless=tuple(self._novelty.hopeless),
            used_s=self._budget.used_s,
            interrupted=interrupted,
        )

    def _over(self) -> bool:
        return self._found is not None or not self._budget.allows_a_run()

    # -- finding

    def _without_faults(self) -> None:
        """The first run: tells which steps of the protocol the subject performs, and whether it
        needs a fault to fail."""
        outcome = self._one(Schedule(seed=self._seed))
        if outcome is None:
            return
        self._space = self._space.with_steps(outcome.steps)
        if outcome.red:
            self._confirm(Schedule(seed=self._seed), outcome)

    def _replay(self) -> None:
        """What the database has: one that is green as often as a confirmation takes is fixed. One
        with a fault that this search may not do (`--only`) stays for another search."""
        for schedule in self._shelf.stored():
            if self._over():
                return
            if not set(schedule.kinds) <= set(self._space.kinds) or not self._fits(schedule):
                continue
            self._progress(f"from the database: {'; '.join(in_words(schedule))}")
            outcomes = []
            for _ in range(_CONFIRMATIONS):
                if (outcome := self._one(schedule)) is None:
                    return
                outcomes.append(outcome)
                if outcome.red:
                    self._keep(schedule, outcome, runs=len(outcomes), by_database=True)
                    return
            if all(outcome.verdict is Verdict.PASS for outcome in outcomes):
                self._shelf.drop(schedule)
                self._progress("it passes now, and is taken out of the database")

    def _singles(self) -> None:
        for schedule in single_faults(self._space, seed=self._seed):
            if self._over():
                return
            if self._fits(schedule):
                self._try(schedule)

    def _visit(self, schedule: Schedule) -> Mapping[str, float] | None:
        """A candidate: run where it is worth it, and confirmed where it is red."""
        if self._over():
            return {}
        if not self._fits(schedule):
            return None
        worth = {"novelty": self._novelty.score(schedule)}
        if not self._novelty.worth(schedule):
            return worth
        outcome = self._try(schedule)
        return worth if outcome is None else {**worth, "states": float(len(outcome.states))}

    def _try(self, schedule: Schedule) -> Outcome | None:
        outcome = self._one(schedule)
        if outcome is not None and outcome.red:
            self._confirm(schedule, outcome)
        return outcome

    def _confirm(self, schedule: Schedule, outcome: Outcome) -> None:
        self._progress(f"red: {', '.join(outcome.codes)}. Once more, to be sure")
        self._shelf.keep(schedule)
        for turn in range(_CONFIRMATIONS):
            again = self._one(schedule)
            if again is None:
                break
            if again.red:
                self._keep(schedule, again, red=2, runs=turn + 2)
                return
        else:
            self._progress("it did not come again: kept, and the search goes on")
        self._once.append(self._as_found(schedule, outcome, red=1, runs=1 + _CONFIRMATIONS))

    def _keep(
        self,
        schedule: Schedule,
        outcome: Outcome,
        *,
        red: int = 1,
        runs: int,
        by_database: bool = False,
    ) -> None:
        found = self._as_found(schedule, outcome, red=red, runs=runs)
        self._found = msgspec.structs.replace(found, by_database=by_database)
        self._reds[schedule.key] = outcome

    def _as_found(self, schedule: Schedule, outcome: Outcome, *, red: int, runs: int) -> Found:
        return Found(
            schedule=schedule,
            codes=outcome.codes,
            folder=outcome.folder,
            red=red,
            runs=runs,
            shrunk_from=len(schedule.faults),
            after_s=self._budget.used_s,
        )

    # -- shrinking

    def _reduce(self, found: Found) -> None:
        """Each smaller one that fails takes the place of the larger at once: so there is always
        something to save, whenever the time is over."""
        self._progress(f"shrinking {'; '.join(in_words(found.schedule))}")
        small = smallest(
            Steadiness(schedule=found.schedule, red=found.red, runs=found.runs),
            red=self._red,
            space=self._space,
            fits=self._fits,
        )
        self._take(small.schedule, red=small.red, runs=small.runs)
        self._progress("and again and again, to see that it always fails")
        sure = proven(small, red=self._red, space=self._space, fits=self._fits)
        self._take(sure.schedule, red=sure.red, runs=sure.runs)

    def _red(self, schedule: Schedule) -> bool | None:
        outcome = self._one(schedule)
        if outcome is None:
            return None
        if outcome.red:
            self._reds[schedule.key] = outcome
            assert self._found is not None
            if len(schedule.faults) < len(self._found.schedule.faults):
                self._take(schedule, red=1, runs=1)
        return outcome.red

    def _take(self, schedule: Schedule, *, red: int, runs: int) -> None:
        """In the place of what was found before, here and in the database."""
        assert self._found is not None
        self._shelf.drop(self._found.schedule)
        self._shelf.keep(schedule)
        outcome = self._reds[schedule.key]
        self._found = msgspec.structs.replace(
            self._found,
            schedule=schedule,
            codes=outcome.codes,
            folder=outcome.folder,
            red=red,
            runs=runs,
        )

    # -- one run

    def _fits(self, schedule: Schedule) -> bool:
        try:
            check_fits(
                schedule,
                instances=self._space.instances,
                session_timeout_s=self._space.session_s,
            )
        except UsageError:
            return False
        return True

    def _one(self, schedule: Schedule) -> Outcome | None:
        """None where no time is left. A run that could not be made is an unknown one."""
        if not self._budget.allows_a_run():
            return None
        began = self._budget.used_s
        try:
            outcome = self._run(schedule)
            self._broken = 0
        except InfrastructureError as error:
            self._broken += 1
            if self._broken >= _BROKEN_IN_A_ROW:
                raise
            outcome = Outcome(verdict=Verdict.UNKNOWN, reasons=(str(error),))
        self._budget.timed(began)
        self._runs[outcome.verdict.value] += 1
        if outcome.verdict is Verdict.UNKNOWN:
            self._unknowns[outcome.reasons[0] if outcome.reasons else "no reason given"] += 1
        new = self._novelty.ran(schedule, outcome)
        self._progress(self._line(schedule, outcome, new=new))
        return outcome

    def _line(self, schedule: Schedule, outcome: Outcome, *, new: int) -> str:
        minutes, seconds = divmod(round(self._budget.left_s), 60)
        best = (
            "" if self._found is None else f", smallest so far {len(self._found.schedule.faults)}"
        )
        kinds = " + ".join(schedule.kinds) or "no fault"
        found = f" ({', '.join(outcome.codes)})" if outcome.codes else ""
        return (
            f"{minutes:d}:{seconds:02d} left, run {self._runs.total()}: {outcome.verdict.value}"
            f"{found}, {kinds}; {len(self._novelty.states)} states (+{new}){best}"
        )
