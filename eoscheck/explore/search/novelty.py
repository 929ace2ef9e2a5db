"""Which of many candidates are worth a run: those with the most that no run has had yet.

A run costs seconds, a candidate a millisecond: so a cheap look at what a schedule says stands
before what only its run can tell.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from eoscheck.explore.search.outcome import Outcome
from eoscheck.explore.search.schedule import Schedule, Table, tables_of
from eoscheck.explore.search.space import Space
from eoscheck.faults.spec import FaultTable

_LOOK_BACK = 60
_SHARE = 0.93
_FEWEST_PASSED_OVER = 15
_MOST_PASSED_OVER = 60
_ALIKE = 0.5
_OF_RUNS_AIMED = 8
"""One of so many runs may be next to the best so far."""
_OF_A_LOAD = 0.1
"""What a new value of the load is worth beside a new kind of fault."""
_HOPELESS = 3
_NOT_NEW = ("at", "at_most", "down", "kind", "target", "within")


class Novelty:
    """Remembers what was run, and which states that reached."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._had: Counter[str] = Counter()
        self._recent: deque[float] = deque(maxlen=_LOOK_BACK)
        self._passed_over = 0
        self._bitten: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()
        self._ran: list[tuple[frozenset[str], int]] = []
        self._followed: set[frozenset[str]] = set()
        self.states: set[str] = set()

    @property
    def hopeless(self) -> list[str]:
        """Faults that were missed each of several times: they cannot bite this subject."""
        return sorted(
            fault
            for fault, times in self._missed.items()
            if times >= _HOPELESS and not self._bitten[fault]
        )

    def score(self, schedule: Schedule) -> float:
        """What it has that runs had seldom or never."""
        if {_named(table) for table in schedule.faults} & set(self.hopeless):
            return 0.0
        features = dict(self._features(schedule))
        return sum(worth / (1 + self._had[each]) ** 2 for each, worth in features.items())

    def worth(self, schedule: Schedule) -> bool:
        """Whether it is to be run: its score is among the best of those before it, and some were
        passed over since the last run; or very many were. One that is nearly what was run already,
        as Hypothesis makes them when it aims, is run only next to the best, once, and seldom.
        Candidates have to be shown in the order in which they come."""
        score = self.score(schedule)
        self._passed_over += 1
        if score <= 0:
            return False
        near = self._near(frozenset(dict(self._features(schedule))))
        if near is not None:
            return self._worth_following(*near)
        recent = sorted(self._recent)
        self._recent.append(score)
        if self._passed_over <= _FEWEST_PASSED_OVER:
            return False
        high = recent[int(len(recent) * _SHARE)] if recent else 0.0
        return score >= high or self._passed_over > _MOST_PASSED_OVER

    def _near(self, features: frozenset[str]) -> tuple[frozenset[str], int] | None:
        """The run that it is nearly the same as, and how many states that reached."""
        for ran, states in self._ran:
            if len(ran & features) >= _ALIKE * len(ran | features):
                return ran, states
        return None

    def _worth_following(self, ran: frozenset[str], states: int) -> bool:
        best = max(each for _, each in self._ran)
        rests = len(self._followed) >= len(self._ran) // _OF_RUNS_AIMED
        if states < best or ran in self._followed or rests:
            return False
        if self._passed_over <= _FEWEST_PASSED_OVER:
            return False
        self._followed.add(ran)
        return True

    def ran(self, schedule: Schedule, outcome: Outcome) -> int:
        """How many states no run before it had reached."""
        self._passed_over = 0
        features = dict(self._features(schedule)).keys()
        self._had.update(features)
        self._ran.append((frozenset(features), len(outcome.states)))
        for table in schedule.faults:
            missed = table["kind"] in outcome.missed
            (self._missed if missed else self._bitten)[_named(table)] += 1
        new = outcome.states - self.states
        self.states |= outcome.states
        return len(new)

    def _features(self, schedule: Schedule) -> Iterator[tuple[str, float]]:
        """Each with its worth."""
        pairs = zip(tables_of(schedule), schedule.faults, strict=True)
        inorder = sorted(pairs, key=lambda pair: pair[0].at_s)
        for number, (table, said) in enumerate(inorder):
            yield table.kind, 5.0
            yield _named(said), 1.0
            yield f"{_named(said)} {self._length(table)}", 2.0
            for key, value in said.items():
                if key not in _NOT_NEW:
                    yield f"{table.kind} {key} {value}", 0.5
            for later, _ in inorder[number + 1 :]:
                how = "during" if later.at_s < table.at_s + table.down_s[1] else "after"
                yield f"{later.kind} {how} {table.kind}", 1.0
        for knob, value in schedule.load.items():
            yield f"load {knob} {value}", _OF_A_LOAD

    def _length(self, table: FaultTable) -> str:
        """By the session time-out, in halves of it up to two, and then as long."""
        halves = int(table.down_s[1] / (self._space.session_s / 2))
        return f"lasts {min(halves, 6)}"


def _named(fault: Table) -> str:
    """What can be hopeless: a kind, and at a step of the protocol where it is at one."""
    return f"{fault['kind']} at {fault['step']}" if "step" in fault else str(fault["kind"])
