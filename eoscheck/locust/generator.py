"""The side of Locust that has users: one producer in a thread, its reports, its statistics."""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent
import numpy as np
from gevent.event import Event
from gevent.threadpool import ThreadPool
from locust.env import Environment
from locust.runners import WorkerRunner

from eoscheck.audit.identity import parse
from eoscheck.errors import EoscheckError
from eoscheck.history import SendsUnconfirmed
from eoscheck.load.engine import Engine, Report, Stream
from eoscheck.locust import names
from eoscheck.locust.bands import Band, Bands, label
from eoscheck.locust.clock import Offset, run_clock
from eoscheck.locust.options import rate_of
from eoscheck.locust.stats import log_failures, log_many
from eoscheck.locust.user import EosUser
from eoscheck.run.remote import Plan, Sends, decode_from_run, encode

_REPORT_S = 0.25
_QUESTIONS = 8
_ANSWER_S = 1.0
_LATE_S = 1.0
_LOG = logging.getLogger("eoscheck")


class Generator:
    """Belongs to one environment; its life begins anew with each test."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._answer = Event()
        self._offset = Offset()
        self._reset()
        environment.events.test_start.add_listener(self._on_test_start)
        assert environment.runner is not None
        for message, listener in (
            (names.PLAN, self._on_plan),
            (names.BANDS, self._on_bands),
            (names.FINISH, self._on_finish),
            (names.CLOCK_ANSWER, self._on_clock_answer),
        ):
            environment.runner.register_message(message, listener)
        if isinstance(environment.runner, WorkerRunner):
            # It may be told to leave alone, by Ctrl-C: what it has sent must be known all the same.
            environment.events.test_stopping.add_listener(self._on_test_stopping)

    def _reset(self) -> None:
        self._users: dict[EosUser, Stream | None] = {}
        self._joined = 0
        self._block = -1
        self._plan: Plan | None = None
        self._engine: Engine | None = None
        self._bands = Bands()
        self._finishing = False
        self._done = Event()

    def join(self, user: EosUser) -> None:
        self._users[user] = None
        if self._engine is not None:
            self._open(user)

    def leave(self, user: EosUser) -> None:
        stream = self._users.pop(user, None)
        if stream is not None and self._engine is not None:
            self._engine.close(stream)

    def _open(self, user: EosUser) -> None:
        assert self._plan is not None
        assert self._engine is not None
        options = self._environment.parsed_options
        try:
            spec = user.spec(self._plan.spec, rate=options and rate_of(options))
        except EoscheckError as error:
            self._broken(error)
            return
        seed = f"{self._plan.seed}/{self._block}/{self._joined}"
        self._joined += 1
        records = user.records(
            spec, numbers=self._engine.numbers, seed=seed, run_id=self._plan.run_id
        )
        self._users[user] = self._engine.open(records, rate=spec.rate)

    def _on_test_start(self, environment: Environment, **_: Any) -> None:
        self._reset()
        self._send(names.HELLO, None)

    def _on_plan(self, environment: Environment, msg: Any, **_: Any) -> None:
        """`plan`: the run's; `block`: which numbers are ours."""
        if self._plan is not None or self._finishing:
            return
        plan = decode_from_run(msg.data["plan"])
        assert isinstance(plan, Plan)
        self._plan, self._block = plan, msg.data["block"]
        gevent.spawn(self._work, plan)

    def _work(self, plan: Plan) -> None:
        """From the plan to the last report."""
        if isinstance(self._environment.runner, WorkerRunner):
            self._compare_clocks()
        engine = Engine(
            plan.spec,
            block=self._block,
            run_id=plan.run_id,
            seed=plan.seed,
            client_config=plan.client_config,
            identify=parse(plan.identify),
            clock=run_clock(plan.origin, self._offset, time.monotonic),
        )
        if self._finishing:
            engine.stop()
        # Not a greenlet, and no thread of the patched `threading`: what waits for the broker there
        # holds nobody here.
        thread = ThreadPool(1).spawn(_fault_of, engine)
        self._engine = engine
        for user in list(self._users):
            self._open(user)
        while not thread.ready():
            gevent.sleep(_REPORT_S)
            if self._plan is not plan:
                return  # the run has failed, and nobody wants to know
            self._report(engine.take())
        self._report(engine.take())
        if engine.most_late_s > _LATE_S:
            _LOG.warning(
                "records left up to %.1f s late: this process cannot make so many",
                engine.most_late_s,
            )
        error = thread.get()
        if error is not None:
            self._broken(error)
        self._send(names.ENDED, {"block": self._block})
        self._done.set()

    def _compare_clocks(self) -> None:
        self._offset = Offset()
        for _ in range(_QUESTIONS):
            self._answer.clear()
            self._send(names.CLOCK, {"sent": time.monotonic()})
            self._answer.wait(_ANSWER_S)

    def _on_clock_answer(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._offset.answered(
            sent=msg.data["sent"], theirs=msg.data["at"], received=time.monotonic()
        )
        self._answer.set()

    def _on_bands(self, environment: Environment, msg: Any, **_: Any) -> None:
        rows: list[Band] = [tuple(row) for row in msg.data["rows"]]
        self._bands.rows = {row[0]: row for row in rows}

    def _on_finish(self, environment: Environment, msg: Any, **_: Any) -> None:
        """`in_vain`: there is no run any more, nor its broker: nothing is waited for."""
        if msg.data["in_vain"] and self._engine is not None:
            self._engine.stop()
            self._plan = self._engine = None
            self._done.set()
        gevent.spawn(self.finish)

    def _on_test_stopping(self, environment: Environment, **_: Any) -> None:
        self.finish()

    def finish(self) -> None:
        """Sends no more, and waits until what became of everything is reported. The client's own
        time-outs bound that."""
        self._finishing = True
        if self._plan is None:
            return
        if self._engine is not None:
            self._engine.stop()
        self._done.wait()

    def _report(self, report: Report) -> None:
        self._count(report)
        if report.sent or report.events:
            frame = encode(Sends(generator=self._block, report=report))
            self._send(names.SENDS, {"frame": frame})

    def _count(self, report: Report) -> None:
        stats, now = self._environment.stats, time.time()
        intended = np.array(report.intended)
        waited = (np.array(report.answered) - intended) * 1000
        for faults, chosen in self._bands.split(intended).items():
            name = label(names.ACKNOWLEDGED, faults)
            log_many(stats, name, waited[chosen], at=now, total=True)
        for event in report.events:
            if isinstance(event, SendsUnconfirmed) and event.outcome != "aborted":
                reason = f"{event.outcome}: {event.reason}"
                count = len(event.identities)
                log_failures(stats, names.ACKNOWLEDGED, reason, count, at=now)

    def _broken(self, error: BaseException) -> None:
        _LOG.error("no load from here: %s", error)
        self._send(names.BROKEN, {"reason": str(error)})

    def _send(self, message: str, data: dict[str, Any] | None) -> None:
        assert self._environment.runner is not None
        self._environment.runner.send_message(message, data)


def _fault_of(engine: Engine) -> Exception | None:
    """Runs it to its end. What it raises is an answer: gevent would print it."""
    try:
        engine.run()
    except Exception as error:  # noqa: BLE001 - told to the master, whatever it is
        return error
    return None
