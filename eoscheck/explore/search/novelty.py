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
_SHARE = 0.85
_FEWEST_PASSED_OVER = 8
_MOST_PASSED_OVER = 60
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

    def worth(self, score: float) -> bool:
        """Whether one of that score is to be run: it is among the best of those before it, and some
        were passed over since the last; or very many were. Candidates have to be shown in the
        order in which they come. (Those next to one that was run are not good any more, however
        good that was: so what Hypothesis aims at is not run again with a small change.)"""
        recent = sorted(self._recent)
        self._recent.append(score)
        self._passed_over += 1
        if score <= 0 or self._passed_over <= _FEWEST_PASSED_OVER:
            return False
        high = recent[int(len(recent) * _SHARE)]
        return score >= high or self._passed_over > _MOST_PASSED_OVER

    def ran(self, schedule: Schedule, outcome: Outcome) -> int:
        """How many states no run before it had reached."""
        self._passed_over = 0
        self._had.update(dict(self._features(schedule)).keys())
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
            yield table.kind, 1.0
            yield _named(said), 1.0
            yield f"{_named(said)} {self._length(table)}", 1.0
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
