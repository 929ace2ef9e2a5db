"""One cell after the other on a running subject: the step is brought about, hit, and recovered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from eoscheck.errors import InfrastructureError
from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.choice import Choice
from eoscheck.explore.crashpoints.group_watch import GroupWatch
from eoscheck.explore.crashpoints.hazards import late_behind
from eoscheck.explore.crashpoints.learn import Occasion, usual_occasion
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.watch import Watch, commits, gives_up, heard, rolls_back
from eoscheck.subject import Subject
from eoscheck.subject.instance import State
from eoscheck.wire import Armed, Firing, Rule, Step, Wire
from eoscheck.wire.steps import matches

DELAY_S = 0.3
"""Of a delayed request: longer than a client takes for the next, shorter than its time-outs."""
_LOOK_S = 0.02
_WELL_AT_WORK = 5
"""Commits after which an instance no longer does what it does at its start."""
_UNDER_WAY_S = 2.0
"""A kill, or the answer that it waits for."""
_DONE_AGAIN = frozenset({"drop-request", "drop-response", "close"})
"""After which a client sends it once more."""
_RESTORES = frozenset({"ListOffsets(restore)", "Fetch(restore)"})


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long is waited, in seconds: `reach_s` for a step to come, `give_up_s` for a client whose
    requests are lost, `recover_s` for the subject to work again."""

    reach_s: float = 15.0
    give_up_s: float = 30.0
    recover_s: float = 30.0


@dataclass(kw_only=True)
class Performer:
    """`down` is an instance that a cell left down, another having taken over: the next cell that
    needs a start begins there. Its outcome is over once it is back (`bring_back`). `current` is the
    cell that is being tried, once its occasion is there."""

    subject: Subject
    wire: Wire
    watch: Watch
    group: GroupWatch
    bounds: Bounds
    stop: threading.Event
    struck: Callable[[Outcome], None] = lambda _outcome: None
    clock: Callable[[], float] = time.monotonic
    down: int | None = None
    current: Outcome | None = None
    waiting: list[Outcome] = field(default_factory=list)
    wiped: set[int] = field(default_factory=set)

    def perform(self, cell: Cell, choice: Choice) -> Outcome:
        """Blocks until it is over, or (after a crash with hand-over) until another instance has
        taken over. Raises InfrastructureError where the subject cannot be made to go on."""
        outcome = self._try(cell, choice, choice.nths[0])
        for nth in choice.nths[1:]:
            if outcome.firing is None and not outcome.stalled and not self.stop.is_set():
                outcome = self._try(cell, choice, nth)
        return outcome

    def bring_back(self) -> None:
        """What is down comes back, and works again."""
        if self.down is None:
            return
        instance, self.down = self.down, None
        since = self.clock()
        self.subject.start(instance)
        self._await_work(instance, since)

    def take_down(self, instance: int) -> str:
        """In order, and until others have taken over; returns what was missing of that."""
        self.bring_back()
        owned = self._owned(instance)
        self.subject.terminate(instance)
        self.down = instance
        return self._taken_over(instance, owned)

    def _try(self, cell: Cell, choice: Choice, nth: int) -> Outcome:
        self.current = None
        instance, missing = self._prepare(cell, choice)
        self.current = outcome = Outcome(cell=cell, instance=instance, nth=nth, began=self.clock())
        if missing:
            outcome.stalled = missing
            return self._ended(outcome)
        owned = [] if self.down == instance else self._owned(instance)
        with self._armed(outcome) as armed:
            outcome.began = self.clock()
            with self._provoked(outcome, choice):
                outcome.firing = self._wait_fired(armed, outcome, choice)
            if outcome.firing is None:
                outcome.reason = f"instance {instance} sent no {cell.step} at {choice.occasion}"
                outcome.reason += f", or fewer than {nth}" if nth > 1 else ""
                self._go_on()
                return self._ended(outcome)
            self.struck(outcome)
            if cell.crashes:
                self._after_crash(outcome, owned)
            else:
                self._after_loss(outcome, armed)
        return self._ended(outcome)

    def _wait_fired(self, armed: Armed, outcome: Outcome, choice: Choice) -> Firing | None:
        """None where the step has not come: at a start, once the instance is well at work; else
        after `reach_s`."""

        def at_work() -> bool:
            seen = self.watch.seen(instance=outcome.instance, since=outcome.began)
            return self.stop.is_set() or sum(map(commits, seen)) >= _WELL_AT_WORK

        if choice.occasion is Occasion.START:
            found = armed.wait(timeout_s=self.subject.spec.ready_timeout_s, stop=at_work)
        else:
            found = armed.wait(timeout_s=self.bounds.reach_s, stop=self.stop.is_set)
        if found is None:
            # It may have met one just now, and still be about it.
            armed.disarm()
            found = armed.wait(timeout_s=_UNDER_WAY_S)
        if found is None:
            self.subject.heal(outcome.instance)
        return found

    def _prepare(self, cell: Cell, choice: Choice) -> tuple[int, str]:
        """The victim, and what is missing where its occasion cannot be brought about."""
        match choice.occasion:
            case Occasion.START:
                missing = "" if self.down is not None else self.take_down(choice.instance)
                assert self.down is not None
                if cell.step in _RESTORES:
                    self._wipe(self.down)  # an app that keeps nothing restores all the same
                return self.down, missing
            case Occasion.REBALANCE:
                others = [each for each in self.subject.instances if each != choice.instance]
                missing = "" if self.down is not None else self.take_down(others[0])
                up = [each for each in self.subject.instances if each != self.down]
                return up[0], missing
            case _:
                self.bring_back()
                return choice.instance, ""

    @contextmanager
    def _armed(self, outcome: Outcome) -> Iterator[Armed]:
        cell = outcome.cell
        armed = self.wire.arm(
            Rule(
                step=cell.step,
                action=cell.action,
                instance=outcome.instance,
                nth=outcome.nth,
                span_s=self.bounds.give_up_s if cell.span else None,
                delay_s=DELAY_S if cell.action == "delay" else 0.0,
                release=late_behind(cell.step) if cell.action == "hold" else None,
            )
        )
        try:
            yield armed
        finally:
            armed.disarm()

    @contextmanager
    def _provoked(self, outcome: Outcome, choice: Choice) -> Iterator[None]:
        """Brings the occasion about; at work it comes by itself. An app rolls back where its
        records are not delivered: until it does."""
        if choice.occasion is Occasion.ROLLBACK:
            lost = self.wire.arm(_undelivered(outcome.instance, self.bounds.give_up_s))
            try:
                yield
            finally:
                lost.disarm()
            return
        match choice.occasion:
            case Occasion.START | Occasion.REBALANCE:
                assert self.down is not None
                self.subject.start(self.down)
                self.down = None
            case Occasion.STOP:
                threading.Thread(
                    target=self._stop_quietly, args=(outcome.instance,), daemon=True
                ).start()
        yield

    def _go_on(self) -> None:
        """After a cell whose step did not come: what earlier ones left down is back."""
        self.bring_back()
        if self.waiting:
            self._await_work(self.waiting[0].instance, self.waiting[-1].ended)

    def _stop_quietly(self, instance: int) -> None:
        """It may be killed meanwhile: that is what the cell is for."""
        try:
            self.subject.terminate(instance)
        except InfrastructureError:
            return

    def _after_crash(self, outcome: Outcome, owned: Sequence[int]) -> None:
        """The instance is dead."""
        cell, instance = outcome.cell, outcome.instance
        assert outcome.firing is not None
        if self.subject.state(instance) is not State.DOWN:
            outcome.unsure = f"instance {instance} still runs after its crash"
            return
        if cell.wiped:
            outcome.unsure = self._wipe(instance)
        self.down = instance
        self.waiting.append(outcome)
        if cell.quick:
            self.bring_back()
            return
        missing = self._taken_over(instance, owned)
        outcome.took_over_s = self.clock() - outcome.firing.t
        if missing:
            outcome.stalled = f"nobody took over from instance {instance}: {missing}"

    def _wipe(self, instance: int) -> str:
        """Why it could not be; nothing where it is empty since it was wiped the last time."""
        try:
            self.subject.wipe(instance)
        except InfrastructureError as error:
            return "" if instance in self.wiped else str(error)
        self.wiped.add(instance)
        return ""

    def _after_loss(self, outcome: Outcome, armed: Armed) -> None:
        """The instance lives, and has lost something, or has it late or twice."""
        cell, instance, firing = outcome.cell, outcome.instance, outcome.firing
        assert firing is not None
        since = firing.t
        if cell.span:
            since = self._wait_given_up(outcome, armed)
        elif cell.action == "hold":
            if armed.rule.release is None:
                self._wait_again(cell.step, instance, since)
            else:
                armed.wait_released(timeout_s=self.bounds.reach_s, stop=self.stop.is_set)
            armed.release()
            since = self.clock()
        if self._stops(outcome):
            return
        again = None
        if cell.action in _DONE_AGAIN and not cell.span:
            again = self._wait_again(cell.step, instance, since)
        self.waiting.append(outcome)
        self._await_work(instance, since if again is None else again)

    def _stops(self, outcome: Outcome) -> bool:
        """Whether the instance was on its way out: then another takes over."""
        instance = outcome.instance
        if usual_occasion(outcome.cell.step) is not Occasion.STOP:
            return False
        give_up_at = self.clock() + self.subject.spec.stop_timeout_s
        while self.subject.state(instance) is not State.DOWN:
            if self.clock() >= give_up_at:
                outcome.unsure = f"instance {instance} did not end"
                return True
            time.sleep(_LOOK_S)
        self.down = instance
        self.waiting.append(outcome)
        missing = self._taken_over(instance, [])
        assert outcome.firing is not None
        outcome.took_over_s = self.clock() - outcome.firing.t
        if missing:
            outcome.stalled = f"nobody took over from instance {instance}: {missing}"
        return True

    def _wait_given_up(self, outcome: Outcome, armed: Armed) -> float:
        """When the client no longer waited; what comes then passes again."""
        instance, firing = outcome.instance, outcome.firing
        assert firing is not None
        exits = len(self.subject.unexpected_exits())

        def ended() -> bool:
            return self.stop.is_set() or len(self.subject.unexpected_exits()) > exits

        found = self.watch.wait(
            gives_up,
            instance=instance,
            since=firing.t,
            timeout_s=self.bounds.give_up_s,
            stop=ended,
        )
        armed.disarm()
        if found is None and not ended():
            outcome.unsure = (
                f"the client had not given up after {self.bounds.give_up_s:g} s: name its limit "
                "with --client-timeout"
            )
        return self.clock()

    def _wait_again(self, step: Step, instance: int, since: float) -> float | None:
        """When the instance has done the step once more, and heard of it; None where it needs no
        more of them."""
        found = self.watch.wait(
            lambda each: heard(each) and matches(step, each.steps),
            instance=instance,
            since=since,
            timeout_s=self.bounds.reach_s,
            stop=self.stop.is_set,
        )
        return None if found is None else found.sent

    def _await_work(self, instance: int, since: float) -> None:
        """The instance commits; what waits for that is over then."""
        found = self.watch.wait(
            commits,
            instance=instance,
            since=since,
            timeout_s=self.bounds.recover_s,
            stop=self.stop.is_set,
        )
        now = self.clock()
        for outcome in self.waiting:
            outcome.back_s = now - since
            outcome.over = found is not None
            if found is None and not self.stop.is_set():
                outcome.stalled = (
                    f"instance {instance} has committed nothing for {self.bounds.recover_s:g} s"
                )
        self.waiting = []
        self.wiped.discard(instance)

    def _owned(self, instance: int) -> list[int]:
        return self.group.owned(instance, timeout_s=self.bounds.recover_s, stop=self.stop.is_set)

    def _taken_over(self, instance: int, partitions: Sequence[int]) -> str:
        missing = self.group.wait_taken_over(
            instance, partitions, timeout_s=self.bounds.recover_s, stop=self.stop.is_set
        )
        return "" if self.stop.is_set() else missing

    def _ended(self, outcome: Outcome) -> Outcome:
        outcome.ended = self.clock()
        firing = outcome.firing
        if firing is not None:
            spared = outcome.instance if outcome.cell.crashes else None
            started = usual_occasion(outcome.cell.step) is Occasion.START
            outcome.rolled_back = any(
                each.instance != spared
                and rolls_back(each)
                and not (started and "InitProducerId" in each.steps)
                for each in self.watch.seen(since=firing.t)
            )
        return outcome


def _undelivered(instance: int, span_s: float) -> Rule:
    return Rule(step="Produce", action="drop-request", instance=instance, span_s=span_s)
