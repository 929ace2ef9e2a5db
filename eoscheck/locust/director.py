"""The side of Locust that has the run: it starts it, feeds it, and shows what becomes of it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
import numpy as np
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from eoscheck.errors import UsageError
from eoscheck.history import FaultHealed, FaultInjected, FaultMissed
from eoscheck.locust import names
from eoscheck.locust.bands import Bands, label
from eoscheck.locust.child import RunProcess
from eoscheck.locust.options import begin_of
from eoscheck.locust.stats import log_event, log_many
from eoscheck.run.remote import (
    Arrived,
    Concluded,
    Enough,
    Failed,
    FromRun,
    GeneratorEnded,
    LoadEnded,
    Plan,
    Struck,
    encode,
)

_FINISH_S = 70.0
"""Longer than a client waits for its last answers."""
_LOOK_S = 0.5
_LOG = logging.getLogger("eoscheck")


@dataclass
class _Run:
    """One run, from Locust's start to the verdict."""

    process: RunProcess
    plan: Plan | None = None
    waiting: list[str] = field(default_factory=list)
    blocks: dict[int, str] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    bands: Bands = field(default_factory=Bands)
    faults: list[FaultInjected | FaultHealed | FaultMissed] = field(default_factory=list)
    ended: bool = False
    conclusion: Concluded | Failed | None = None
    concluded: Event = field(default_factory=Event)


class Director:
    """Belongs to the environment of a master, or of a Locust that is alone."""

    def __init__(self, environment: Environment) -> None:
        self.run: _Run | None = None
        self.options = environment.parsed_options
        self._environment = environment
        assert environment.runner is not None
        self._runner = environment.runner
        for message, listener in (
            (names.HELLO, self._on_hello),
            (names.SENDS, self._on_sends),
            (names.ENDED, self._on_ended),
            (names.BROKEN, self._on_broken),
            (names.CLOCK, self._on_clock),
        ):
            self._runner.register_message(message, listener)
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.quitting.add_listener(self._on_quitting)

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        if self.run is not None and self.run.conclusion is not None:
            self.run.concluded.wait()  # its process is on its way out
        if self.run is not None and not self.run.concluded.is_set():
            _LOG.error("the run before is not judged yet: start again when it is")
            gevent.spawn_later(_LOOK_S, self._runner.stop)  # Locust takes it for started by then
            return
        environment.process_exit_code = None
        try:
            assert environment.parsed_options is not None
            process = RunProcess(begin_of(environment.parsed_options))
        except UsageError as error:
            self._failed(str(error))
            return
        self.run = _Run(process)
        gevent.spawn(self._follow, self.run)

    def _follow(self, run: _Run) -> None:
        """Everything that the run's process says, until it is gone."""
        for message in run.process.messages():
            self._heard(run, message)
        if run.conclusion is None:
            run.conclusion = Failed(reason="its process ended before its verdict")
        run.process.close()
        if isinstance(run.conclusion, Failed):
            self._failed(run.conclusion.reason)
        run.concluded.set()

    def _heard(self, run: _Run, message: FromRun) -> None:
        match message:
            case Plan():
                run.plan = message
                self._environment.stats.reset_all()  # rates are of the load, not of Kafka's start
                _LOG.info("%s: the load begins (run %s)", message.title, message.run_id)
                for node in run.waiting:
                    self._give_plan(run, node)
            case Struck():
                self._struck(run, message.event)
            case Arrived():
                self._arrived(run, message)
            case Enough():
                gevent.spawn(self._end_test, run)
            case Concluded() if run.conclusion is None:
                run.conclusion = message
                self._concluded(message)
            case Failed():
                run.conclusion = run.conclusion or message

    def _give_plan(self, run: _Run, node: str) -> None:
        block = len(run.blocks)
        run.blocks[block] = node
        run.open.add(block)
        self._runner.send_message(
            names.PLAN, {"plan": encode(run.plan), "block": block}, client_id=node
        )
        self._send_bands(run)

    def _struck(self, run: _Run, event: FaultInjected | FaultHealed | FaultMissed) -> None:
        run.faults.append(event)
        run.bands.struck(event)
        self._send_bands(run)
        if isinstance(event, FaultInjected):
            _LOG.info("fault %s: %s %s", event.fault_id, event.kind, event.target)
            return
        missed = isinstance(event, FaultMissed)
        row = run.bands.rows.get(event.fault_id)
        self._log(
            "FAULT",
            event.kind,
            0.0 if row is None or row[3] is None else (row[3] - row[2]) * 1000,
            error=f"did not bite: {event.reason}" if isinstance(event, FaultMissed) else None,
        )
        _LOG.info("fault %s: %s", event.fault_id, "did not bite" if missed else "healed")

    def _send_bands(self, run: _Run) -> None:
        self._runner.send_message(names.BANDS, {"rows": list(run.bands.rows.values())})

    def _arrived(self, run: _Run, arrived: Arrived) -> None:
        intended = np.array(arrived.intended)
        waited = (np.array(arrived.seen) - intended) * 1000
        for faults, chosen in run.bands.split(intended).items():
            name = label(names.END_TO_END, faults)
            log_many(self._environment.stats, name, waited[chosen], at=time.time(), total=False)

    def _on_hello(self, environment: Environment, msg: Any, **_: Any) -> None:
        run = self.run
        if run is None or run.ended:
            return
        if run.plan is None:
            run.waiting.append(msg.node_id)
        else:
            self._give_plan(run, msg.node_id)

    def _on_clock(self, environment: Environment, msg: Any, **_: Any) -> None:
        answer = {"sent": msg.data["sent"], "at": time.monotonic()}
        self._runner.send_message(names.CLOCK_ANSWER, answer, client_id=msg.node_id)

    def _on_sends(self, environment: Environment, msg: Any, **_: Any) -> None:
        if self.run is not None:
            self.run.process.forward(msg.data["frame"])

    def _on_ended(self, environment: Environment, msg: Any, **_: Any) -> None:
        if self.run is not None and msg.data["block"] in self.run.open:
            self.run.open.discard(msg.data["block"])
            self.run.process.tell(GeneratorEnded(generator=msg.data["block"]))

    def _on_broken(self, environment: Environment, msg: Any, **_: Any) -> None:
        """One that cannot send spoils the run: what it should have sent is missing."""
        run = self.run
        if run is not None and run.conclusion is None:
            run.conclusion = Failed(reason=f"a load generator cannot send: {msg.data['reason']}")
            gevent.spawn(run.process.give_up)

    def _on_test_stopping(self, environment: Environment, **_: Any) -> None:
        """Also before a master tells its workers to quit: their last reports must come first."""
        run = self.run
        if run is None or run.ended or run.concluded.is_set():
            return
        run.ended = True
        if run.plan is None:
            _LOG.warning("stopped before the load began: the run is given up")
            run.process.give_up()
            return
        self._runner.send_message(names.FINISH, {"in_vain": False})
        deadline = time.monotonic() + _FINISH_S
        while run.open and time.monotonic() < deadline:
            gevent.sleep(_LOOK_S if run.open else 0)
            self._look_for_lost(run)
        for block in sorted(run.open):
            run.process.tell(GeneratorEnded(generator=block, lost=True))
        run.process.tell(LoadEnded())
        _LOG.info("the load has ended: the app finishes its input, then comes the audit")

    def _look_for_lost(self, run: _Run) -> None:
        """A worker that is gone says nothing any more."""
        if not isinstance(self._runner, MasterRunner):
            return
        clients = self._runner.clients
        for block in sorted(run.open):
            client = clients.get(run.blocks[block])
            if client is None or client.state == STATE_MISSING:
                _LOG.warning("worker %s is lost", run.blocks[block])
                run.open.discard(block)
                run.process.tell(GeneratorEnded(generator=block, lost=True))

    def _end_test(self, run: _Run) -> None:
        """The scenario's phases are over: so is the test."""
        self._runner.stop()
        options = self._environment.parsed_options
        if options is not None and options.headless:
            run.concluded.wait()
            self._runner.quit()

    def _concluded(self, concluded: Concluded) -> None:
        self._environment.process_exit_code = concluded.exit_code
        reasons = "; ".join(concluded.reasons)
        self._log(
            "AUDIT",
            concluded.guarantee,
            concluded.audit_s * 1000,
            error=None if concluded.exit_code == 0 else f"{concluded.verdict}: {reasons}",
        )
        _LOG.info("verdict: %s%s", concluded.verdict.upper(), f" ({reasons})" if reasons else "")
        _LOG.info("report: %s", concluded.report)

    def _failed(self, reason: str) -> None:
        _LOG.error("%s", reason)
        self._environment.process_exit_code = 2
        self._log("AUDIT", "no verdict", 0.0, error=reason)
        self._runner.send_message(names.FINISH, {"in_vain": True})
        gevent.spawn(self._leave_failed)

    def _log(self, method: str, name: str, milliseconds: float, *, error: str | None) -> None:
        log_event(self._environment.stats, method, name, milliseconds, error=error, at=time.time())

    def _leave_failed(self) -> None:
        options = self._environment.parsed_options
        if options is not None and options.headless:
            self._runner.quit()
        else:
            self._runner.stop()

    def _on_quitting(self, environment: Environment, **_: Any) -> None:
        """Ctrl-C and SIGTERM come here with the test still going on: it is stopped, and judged. A
        second Ctrl-C gives the run up."""
        run = self.run
        if run is None or run.concluded.is_set():
            return
        try:
            self._runner.stop()
            run.concluded.wait()
        finally:
            if not run.concluded.is_set():
                run.process.give_up()
