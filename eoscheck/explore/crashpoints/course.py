"""The faults phase of a run through cells: learned where it must be, cell after cell, audited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eoscheck.audit.findings import AuditReport
from eoscheck.cluster.transactions import TransactionView
from eoscheck.errors import EoscheckError, InfrastructureError
from eoscheck.explore.crashpoints.agenda import Agenda
from eoscheck.explore.crashpoints.auditor import Auditor
from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.choice import choose
from eoscheck.explore.crashpoints.group_watch import GroupWatch
from eoscheck.explore.crashpoints.learn import LearnedStep
from eoscheck.explore.crashpoints.learning import SubjectStalled, learn_from, wait_at_work
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.perform import Bounds, Performer
from eoscheck.explore.crashpoints.watch import Watch
from eoscheck.faults.wire_action import identity
from eoscheck.faults.witness import Witness
from eoscheck.history import FaultHealed, FaultInjected
from eoscheck.run.background import Background
from eoscheck.run.stage import Stage

_ABORT = "EndTxn(abort)"


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What to go through, at most so many cells of it, and who is told: of the steps once they are
    learned, of each outcome as soon as the next cell may begin."""

    agenda: Agenda
    bounds: Bounds
    seed: int
    most_cells: int
    learned: Callable[[Sequence[LearnedStep]], None] = lambda _steps: None
    tell: Callable[[Outcome], None] = lambda _outcome: None


@dataclass(kw_only=True)
class Log:
    """What a course came to. `clean_to`: so many outcomes, from the first, were over when an audit
    found nothing; `red`: the audit that found something, and how many were over then. `before`:
    what was found after the learning, before anything was broken; `stalled`: the subject did not
    even go on then."""

    outcomes: list[Outcome] = field(default_factory=list)
    clean_to: int = 0
    red: tuple[int, AuditReport] | None = None
    before: AuditReport | None = None
    stalled: str = ""
    audits: int = 0


class Course:
    """`run` is given to `run_scenario` as what is to be done in place of its faults."""

    def __init__(self, stage: Stage, witness: Witness | None, orders: Orders, log: Log) -> None:
        assert stage.wire is not None
        assert witness is not None
        self._stage = stage
        self._orders = orders
        self._log = log
        self._stop = threading.Event()
        self._told = 0
        self._watch = Watch()
        self._wire, self._witness = stage.wire, witness
        scenario = stage.scenario
        self._performer = Performer(
            subject=stage.subject,
            wire=stage.wire,
            watch=self._watch,
            group=GroupWatch(
                scenario.subject,
                run_id=stage.run_id,
                view=stage.view,
                topic=scenario.load.topic,
                progress=stage.progress,
            ),
            bounds=orders.bounds,
            stop=self._stop,
            struck=self._struck,
        )
        self._auditor = Auditor(
            scenario.audit,
            client_config=stage.cluster.client_config,
            folder=stage.recorder.path.parent,
            over=self._over,
            stop=self._stop,
        )

    def run(self) -> None:
        """To the last cell, or until something is found or the subject does not work again.
        Everything is healed when it returns, also where it raises."""
        with self._witness.hearing(self._watch), Background(name="auditor") as background:
            try:
                if self._orders.agenda.needs_learning:
                    self._learn()
                else:
                    self._begin()
                background.start(lambda: self._auditor.run(background.stop))
                self._go_through(background)
            finally:
                self._stop.set()
                self._wire.heal_all()
                self._stage.subject.heal_all()
        self._log.clean_to = self._auditor.clean_to
        if self._log.before is None:
            self._log.red = self._auditor.red
        self._log.audits = self._auditor.audits

    def _learn(self) -> None:
        """An app that is wrong without any fault is told so, and no cell is blamed for that."""
        agenda = self._orders.agenda
        try:
            agenda.learned(learn_from(self._performer, seed=self._orders.seed))
        except SubjectStalled as error:
            self._log.stalled = str(error)
            self._stop.set()
            return
        self._orders.learned(agenda.steps)
        self._auditor.look(0)
        if self._auditor.red is not None:
            self._log.before = self._auditor.red[1]

    def _begin(self) -> None:
        try:
            wait_at_work(self._performer)
        except SubjectStalled as error:
            self._log.stalled = str(error)
            self._stop.set()

    def _go_through(self, background: Background) -> None:
        agenda, performer = self._orders.agenda, self._performer
        chain = 0
        while not self._stop.is_set() and len(self._log.outcomes) < self._orders.most_cells:
            chain = chain if performer.down is not None else 0
            cell = agenda.next(down=performer.down is not None, chain=chain)
            if cell is None:
                break
            self._watch.forget()
            self._one(cell)
            chain += 1
            background.pause(0.0)  # an audit that failed ends it all
            self._tell_those_over()
            if self._log.outcomes[-1].stalled:
                return
        if not self._stop.is_set():
            performer.bring_back()
            self._tell_those_over()

    def _one(self, cell: Cell) -> None:
        agenda, stage = self._orders.agenda, self._stage
        choice = choose(
            cell,
            seed=self._orders.seed,
            steps=agenda.steps,
            instances=stage.scenario.subject.instances,
        )
        outcome: Outcome | None
        try:
            outcome = self._performer.perform(cell, choice)
        except InfrastructureError as error:
            if not self._stop.is_set():
                raise InfrastructureError(f"{cell.name}: {error}") from error
            outcome = self._performer.current
        if outcome is None or (self._stop.is_set() and outcome.firing is None):
            return  # it was cut short before it struck: it is tried again
        if outcome.stalled:
            outcome.stalled += self._held_by()
        # One that was cut short after that may be what the audit has found.
        agenda.done(cell)
        self._log.outcomes.append(outcome)
        if any(_ABORT in each.steps for each in self._watch.seen()):
            agenda.discovered(_ABORT)

    def _held_by(self) -> str:
        """What explains a take-over that does not come: an orphan that nobody ends for longer than
        is waited for. Nothing where there is none, or it cannot be told."""
        stage, bound_s = self._stage, self._orders.bounds.recover_s
        try:
            with TransactionView(stage.cluster.client_config) as transactions:
                found = transactions.ongoing([stage.scenario.audit.output])
        except EoscheckError:
            return ""
        return "".join(
            f"; the transaction of {each.transactional_id} is open and times out after "
            f"{each.timeout_ms / 1000:g} s only (timing.liveness: {bound_s:g} s)"
            for each in found
            if each.timeout_ms / 1000 >= bound_s
            and time.time() - each.started_ms / 1000 >= bound_s / 2  # the others' are young
        )

    def _over(self) -> int:
        """How many, from the first, are over: what they did can be judged."""
        for number, outcome in enumerate(self._log.outcomes):
            if outcome.firing is not None and not outcome.over:
                return number
        return len(self._log.outcomes)

    def _tell_those_over(self) -> None:
        outcomes = self._log.outcomes
        while self._told < len(outcomes):
            outcome = outcomes[self._told]
            if outcome.firing is not None and not (outcome.over or outcome.stalled):
                return
            if outcome.firing is not None:
                self._healed(outcome)
            self._orders.tell(outcome)
            self._told += 1

    def _struck(self, outcome: Outcome) -> None:
        firing, recorder = outcome.firing, self._stage.recorder
        assert firing is not None
        recorder.record(
            FaultInjected(
                t=recorder.since_start(firing.t),
                fault_id=outcome.cell.name,
                kind=outcome.cell.action,
                instance=outcome.instance,
                down_s=0.0,
                outlasts_session=outcome.cell.crashes and not outcome.cell.quick,
                wiped=outcome.cell.wiped,
                evidence=request_of(outcome),
                target=f"instance {outcome.instance} at {firing.step}",
            )
        )

    def _healed(self, outcome: Outcome) -> None:
        recorder = self._stage.recorder
        recorder.record(
            FaultHealed(
                t=recorder.now(),
                fault_id=outcome.cell.name,
                kind=outcome.cell.action,
                instance=outcome.instance,
            )
        )


def request_of(outcome: Outcome) -> dict[str, Any]:
    """What the wire met, as evidence."""
    firing = outcome.firing
    if firing is None:
        return {}
    return {"step": firing.step, "broker": firing.broker, **identity(firing.request)}
