"""Which of many candidates are worth a run: those with the most that no run has had yet.

A run costs seconds, a candidate a millisecond: so a cheap look at what a schedule says stands
before what only its run can tell.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from eoscheck.explore.search.outcome import Outcome
from eoscheck.explore.search.schedule import Schedule, tables_of
from eoscheck.explore.search.space import Space
from eoscheck.faults.spec import FaultTable

_LOOK_BACK = 6
_PASSED_OVER = 8
_HOPELESS = 3


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
        """Kinds that were missed each of several times: they cannot bite this subject."""
        return sorted(
            kind
            for kind, times in self._missed.items()
            if times >= _HOPELESS and not self._bitten[kind]
        )

    def score(self, schedule: Schedule) -> float:
        """What it has that runs had seldom or never."""
        if set(schedule.kinds) & set(self.hopeless):
            return 0.0
        return sum(1 / (1 + self._had[each]) ** 2 for each in set(self._features(schedule)))

    def worth(self, score: float) -> bool:
        """Whether one of that score is to be run: as good as the last few, or there was none for
        long. Candidates have to be shown in the order in which they come."""
        best = max(self._recent, default=0.0)
        self._recent.append(score)
        if 0 < score >= best or (score > 0 and self._passed_over >= _PASSED_OVER):
            self._passed_over = 0
            return True
        self._passed_over += 1
        return False

    def ran(self, schedule: Schedule, outcome: Outcome) -> int:
        """How many states no run before it had reached."""
        self._recent.clear()
        self._had.update(set(self._features(schedule)))
        for kind in schedule.kinds:
            (self._missed if kind in outcome.missed else self._bitten)[kind] += 1
        new = outcome.states - self.states
        self.states |= outcome.states
        return len(new)

    def _features(self, schedule: Schedule) -> Iterator[str]:
        pairs = zip(tables_of(schedule), schedule.faults, strict=True)
        inorder = sorted(pairs, key=lambda pair: pair[0].at_s)
        for number, (table, said) in enumerate(inorder):
            yield table.kind
            yield f"{table.kind} {self._length(table)}"
            for key, value in said.items():
                if key not in ("at", "down", "kind", "target"):
                    yield f"{table.kind} {key} {value}"
            for later, _ in inorder[number + 1 :]:
                how = "during" if later.at_s < table.at_s + table.down_s[1] else "after"
                yield f"{later.kind} {how} {table.kind}"
        for knob, value in schedule.load.items():
            yield f"load {knob} {value}"

    def _length(self, table: FaultTable) -> str:
        """By the session time-out, in halves of it up to two, and then as long."""
        halves = int(table.down_s[1] / (self._space.session_s / 2))
        return f"lasts {min(halves, 6)}"
