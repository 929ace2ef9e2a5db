"""The wire family: a rule at a step, struck when a request meets it, over when its time, its client
or another step says so."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults import Scene, plan, run_faults
from eoscheck.faults.action import DidNotBiteError, Triggered
from eoscheck.faults.kinds import FaultSpec, action_for, needs_of
from eoscheck.faults.spec import FaultTable, PlannedFault
from eoscheck.faults.wire import GIVES_UP, CrashAfter, DropRequest, Hold
from eoscheck.faults.witness import Witness
from eoscheck.history import FaultHealed, FaultInjected, FaultMissed, Recorder, read_history
from eoscheck.subject import SubjectSpec
from eoscheck.wire import Armed, Exchange, Firing, Request, Rule
from eoscheck.wire.armed import Held
from tests.unit.faults.tables import OneApp, app

COMMIT = Request(
    api="EndTxn",
    api_key=26,
    api_version=1,
    correlation_id=7,
    client_id="app-0",
    size=40,
    transactional_id="app-0",
    producer_id=4000,
    producer_epoch=3,
    committed=True,
)


def exchange(step: str, *, sent: float, instance: int = 1, **keys: Any) -> Exchange:
    usual: dict[str, Any] = {
        "answered": sent,
        "broker": 1,
        "connection": 1,
        "steps": (step,),
        "request": msgspec.structs.replace(COMMIT, api=step.partition("(")[0], correlation_id=99),
        "outcome": "answered",
    }
    return Exchange(sent=sent, instance=instance, **(usual | keys))


class FakeArmed(Armed):
    """Hears what releases; goes on, and waits, as the test says."""

    def __init__(self, rule: Rule, wire: FakeWire) -> None:
        super().__init__(rule, in_loop=lambda function: function(), check=lambda: None)
        self._wire = wire
        for firing in wire.firings:
            self.done(firing)
        self.keep(Held(release=lambda: None, drop=lambda: None))

    @property
    def firings(self) -> Sequence[Firing]:
        return self._wire.firings

    def wait(self, *, timeout_s: float, stop: Callable[[], bool]) -> Firing | None:
        self._wire.waited_s = timeout_s
        return self._wire.firings[0] if self._wire.firings else None

    def release(self) -> Sequence[Exchange]:
        self._wire.log.append("release")
        return self._wire.late

    def disarm(self) -> None:
        self._wire.log.append("disarm")


class FakeWire:
    """Its rules are met at once, at second 100 by its clock, unless `firings` is emptied."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.rules: list[Rule] = []
        self.waited_s = 0.0
        self.firings: list[Firing] = []
        self.meets = True
        self.late: list[Exchange] = []
        self.armed: FakeArmed | None = None

    def arm(self, rule: Rule) -> FakeArmed:
        self.rules.append(rule)
        if self.meets:
            self.firings.append(
                Firing(t=100.0, rule=rule, step=rule.step, instance=1, broker=2, request=COMMIT)
            )
        self.armed = FakeArmed(rule, self)
        return self.armed

    def close_stalled(self, *, instance: int) -> None:
        self.log.append(f"close stalled {instance}")

    def heal_all(self) -> None:
        self.log.append("heal all")


class FakeSubject(OneApp):
    def __init__(self) -> None:
        self.log: list[str] = []
        self.wiped_files = 3

    def wipe(self, instance: int) -> dict[str, Any]:
        self.log.append(f"wipe {instance}")
        return {"wiped_files": self.wiped_files}

    def heal(self, instance: int) -> None:
        self.log.append(f"heal {instance}")

    def heal_all(self) -> None:
        self.log.append("heal all")


class Bench:
    """One action on a wire of the test's making."""

    def __init__(self) -> None:
        self.wire, self.subject, self.witness = FakeWire(), FakeSubject(), Witness()

    def scene(self) -> Any:
        parts: Any = {
            "wire": self.wire,
            "witness": self.witness,
            "subject": self.subject,
            "brokers": SimpleNamespace(ids=(1, 2, 3), is_up=lambda _: True, heal_all=lambda: None),
            "roles": SimpleNamespace(controller=lambda: 2),
        }
        return Scene(**parts)

    def action(self, table: FaultTable, *, instance: int | None = 1, wipe: bool = False) -> Any:
        planned = PlannedFault(
            fault_id="w-1",
            table=table,
            at_s=0.0,
            lanes=frozenset({"w"}),
            instance=instance,
            wipe=wipe,
        )
        return action_for(planned, self.scene())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def never() -> bool:
    return False


def struck(bench: Bench, table: FaultTable, **keys: Any) -> Any:
    action = bench.action(table, **keys)
    assert isinstance(action, Triggered)
    assert action.wait_struck(timeout_s=15.0, stop=never).at == 100.0
    return action


def decoded(**keys: Any) -> Any:
    return msgspec.convert(keys, FaultSpec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"kind": "crash-before"}, {"action": "crash-before"}),
        ({"kind": "crash-after", "nth": 3}, {"action": "crash-after", "nth": 3}),
        ({"kind": "drop-request", "for": "12s"}, {"action": "drop-request", "span_s": 12.0}),
        (
            {"kind": "drop-response", "for": GIVES_UP, "at_most": "30s"},
            {"action": "drop-response", "span_s": 30.0},
        ),
        ({"kind": "delay", "delay": "2s"}, {"action": "delay", "delay_s": 2.0}),
        ({"kind": "duplicate", "broker": "controller"}, {"action": "duplicate", "broker": 2}),
        ({"kind": "hold"}, {"action": "hold"}),
        ({"kind": "close"}, {"action": "close"}),
    ],
    ids=lambda value: value.get("kind", ""),
)
def test_each_kind_is_a_rule(bench: Bench, keys: dict[str, Any], rule: dict[str, Any]) -> None:
    struck(bench, decoded(step="EndTxn(commit)", **keys))
    assert bench.wire.rules == [Rule(step="EndTxn(commit)", instance=1, **rule)]


def test_the_evidence_is_the_request_s_identity(bench: Bench) -> None:
    action = struck(bench, decoded(kind="drop-response", step="EndTxn"))
    assert action.target == "instance 1 at EndTxn"
    assert action.strike() == {
        "step": "EndTxn",
        "broker": 2,
        "api": "EndTxn",
        "api_key": 26,
        "api_version": 1,
        "correlation_id": 7,
        "client_id": "app-0",
        "size": 40,
        "transactional_id": "app-0",
        "producer_id": 4000,
        "producer_epoch": 3,
        "committed": True,
    }
    assert action.heal() == {}
    assert bench.wire.log == ["disarm"]


def test_missed_where_no_such_request_came(bench: Bench) -> None:
    bench.wire.meets = False
    with pytest.raises(InfrastructureError, match="fewer than 2 such requests came within 15 s"):
        struck(bench, DropRequest(step="Produce(output)", nth=2))


def test_who_crashed_starts_again_at_the_heal_whoever_it_was(bench: Bench) -> None:
    action = struck(bench, CrashAfter(step="EndTxn", target="all"), instance=None)
    assert bench.wire.rules[0].instance is None
    action.strike()
    assert bench.subject.log == []
    action.heal()
    assert bench.subject.log == ["heal 1"]


def test_who_crashed_may_lose_its_state(bench: Bench) -> None:
    action = struck(bench, CrashAfter(step="EndTxn", wipe=1), wipe=True)
    assert action.strike()["wiped_files"] == 3
    bench.subject.wiped_files = 0
    with pytest.raises(InfrastructureError, match="nothing to wipe"):
        action.strike()


def test_over_once_the_client_gave_up(bench: Bench) -> None:
    action = struck(bench, decoded(kind="drop-request", step="EndTxn(commit)", **{"for": GIVES_UP}))
    for told in (
        exchange("EndTxn(abort)", sent=99.0),  # before
        exchange("EndTxn(abort)", sent=101.0, instance=0),  # another
        exchange("EndTxn(commit)", sent=102.0),  # tries again
    ):
        bench.witness(told)
    assert action.wait_over(timeout_s=0.01, stop=never) is True
    assert action._awaited.found is None
    bench.witness(exchange("EndTxn(abort)", sent=103.5))
    assert action.wait_over(timeout_s=60.0, stop=never) is True
    assert action.heal() == {
        "requests": 1,
        "gave_up_by": "EndTxn(abort)",
        "gave_up_after_s": 3.5,
    }


def test_after_a_span_nobody_waits_for_what_was_lost_in_it(bench: Bench) -> None:
    table = decoded(kind="drop-request", step="EndTxn", **{"for": "3s"})
    struck(bench, table).heal()
    assert bench.wire.log == ["disarm", "close stalled 1"]


def test_missed_where_the_client_never_gave_up(bench: Bench) -> None:
    action = struck(bench, decoded(kind="drop-request", step="EndTxn", **{"for": GIVES_UP}))
    with pytest.raises(DidNotBiteError, match="giving up"):
        action.heal()
    assert bench.wire.log == ["disarm", "close stalled 1"]


def test_only_time_says_when_a_span_is_over(bench: Bench) -> None:
    table = decoded(kind="drop-request", step="EndTxn", **{"for": "3s"})
    assert struck(bench, table).wait_over(timeout_s=60.0, stop=never) is False
    assert table.down_s == (3.0, 3.0)


def test_a_held_request_is_released_once_another_step_was_answered(bench: Bench) -> None:
    table = Hold(step="EndTxn(commit)", release="Produce(output)", release_nth=2)
    action = struck(bench, table)
    armed = bench.wire.armed
    assert armed is not None
    armed.hears(exchange("Produce(output)", sent=101.0))
    armed.hears(exchange("Produce(output)", sent=102.0, outcome="unanswered", answered=None))
    armed.hears(exchange("Produce(output)", sent=102.5, error=47))
    assert action.wait_over(timeout_s=0.01, stop=never)
    assert not armed.released
    armed.hears(exchange("Produce(output)", sent=103.0))
    assert action.wait_over(timeout_s=60.0, stop=never)
    assert armed.released
    bench.wire.late = [exchange("EndTxn(commit)", sent=100.0, answered=104.0, error=0)]
    assert action.heal() == {"held_s": 4.0, "error": 0}
    assert bench.wire.log == ["release", "disarm"]
    assert action.heal() == {"held_s": 4.0, "error": 0}
    assert bench.wire.log == ["release", "disarm"]


def test_a_held_request_that_nothing_releases_is_dropped_and_the_fault_missed(bench: Bench) -> None:
    action = struck(bench, Hold(step="EndTxn(commit)", release="Produce(output)"))
    with pytest.raises(DidNotBiteError, match=r"Produce\(output\)"):
        action.heal()
    assert bench.wire.log == ["disarm"]


def test_missed_where_the_broker_does_not_answer_what_was_released(bench: Bench) -> None:
    bench.wire.late = [exchange("EndTxn(commit)", sent=100.0, outcome="unanswered", answered=None)]
    action = struck(bench, Hold(step="EndTxn(commit)", release="1s"))
    with pytest.raises(DidNotBiteError, match="did not answer"):
        action.heal()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "hold", "step": "EndTx"}, "faults.step: Kafka has no API 'EndTx' (did you mean"),
        ({"kind": "hold", "step": "EndTxn(comit)"}, "EndTxn(commit)"),
        ({"kind": "hold", "step": "EndTxn", "release": "Produce(out)"}, "faults.release: there is"),
        ({"kind": "hold", "step": "EndTxn", "down": "2s"}, "use faults.release for a hold"),
        ({"kind": "close", "step": "EndTxn", "down": "2s"}, "use faults.for for a close"),
        ({"kind": "close", "step": "EndTxn", "for": "until it gives up"}, GIVES_UP),
        ({"kind": "close", "step": "EndTxn", "for": "0s"}, "must be above 0"),
        ({"kind": "close", "step": "EndTxn", "nth": 0}, "counts from 1"),
        ({"kind": "crash-after", "step": "EndTxn", "wipe": 2}, "of only 1 faults"),
        ({"kind": "close", "step": "EndTxn", "target": 2}, "they are numbered from 0 to 1"),
        ({"kind": "close", "step": "EndTxn", "broker": "leader"}, "none of"),
    ],
)
def test_refused_early_with_one_line(keys: dict[str, Any], message: str) -> None:
    with pytest.raises((UsageError, msgspec.ValidationError), match=re.escape(message)):
        plan([decoded(**keys)], seed=1, targets=app(2), duration_s=20.0)


def test_refused_where_nothing_reads_the_protocol(bench: Bench) -> None:
    bench.wire = None  # type: ignore[assignment]
    with pytest.raises(UsageError, match="set it to 'embedded'"):
        bench.action(CrashAfter(step="EndTxn"))
    assert needs_of([CrashAfter(step="EndTxn")]) == {"wire"}


def test_rules_on_one_instance_overlap_and_crashes_do_not() -> None:
    def lanes(*tables: FaultTable) -> list[frozenset[str]]:
        planned = plan(tables, seed=1, targets=app(2), duration_s=20.0)
        return [each.lanes for each in planned]

    first, second = lanes(
        DropRequest(step="EndTxn", target=0), DropRequest(step="Produce", target=0)
    )
    assert not first & second
    assert lanes(CrashAfter(step="EndTxn", target=0)) == [frozenset({"instance 0"})]
    assert lanes(CrashAfter(step="EndTxn", target="all"))[0] >= {"instance 0", "instance 1"}


def test_requests_that_are_lost_are_no_lost_session_and_a_crash_may_be() -> None:
    lost = decoded(kind="drop-request", step="EndTxn", **{"for": "9s"})
    tables = [lost, CrashAfter(step="EndTxn", down="9s")]
    planned = plan(tables, seed=1, targets=app(2), duration_s=30.0)
    assert {each.kind: each.outlasts_session for each in planned} == {
        "drop-request": False,
        "crash-after": True,
    }


def test_a_run_tells_of_the_moment_at_which_it_struck(bench: Bench, tmp_path: Path) -> None:
    tables = [CrashAfter(step="EndTxn", target=1, at="0s", down="0s")]
    planned = plan(tables, seed=1, targets=app(2), duration_s=20.0)
    scene: Scene = bench.scene()
    with Recorder(tmp_path, clock=lambda: 90.0) as recorder:
        run_faults(planned, scene=_asked(scene), recorder=recorder, stop=threading.Event())
    injected, healed = read_history(tmp_path)
    assert isinstance(injected, FaultInjected)
    assert injected.t == 10.0
    assert injected.instance == 1
    assert isinstance(healed, FaultHealed)
    assert bench.subject.log == ["heal 1", "heal all"]
    assert bench.wire.log == ["disarm", "heal all"]


def test_who_crashed_and_what_it_left_open_is_told(bench: Bench, tmp_path: Path) -> None:
    planned = plan(
        [CrashAfter(step="EndTxn", target="all", at="0s", down="0s")],
        seed=1,
        targets=app(2),
        duration_s=20.0,
    )
    scene = _asked(bench.scene())
    transactions: Any = SimpleNamespace(
        ongoing=lambda _: [SimpleNamespace(transactional_id=name) for name in ("app-0", "app-1")]
    )
    scene = replace(scene, transactions=transactions)
    with Recorder(tmp_path, clock=lambda: 90.0) as recorder:
        run_faults(planned, scene=scene, recorder=recorder)
    injected = read_history(tmp_path)[0]
    assert isinstance(injected, FaultInjected)
    assert (injected.instance, injected.open_transactions) == (1, 1)


def test_a_run_whose_request_did_not_come_missed_it(bench: Bench, tmp_path: Path) -> None:
    bench.wire.meets = False
    tables = [DropRequest(step="EndTxn", target=1, at="0s", within="3s")]
    planned = plan(tables, seed=1, targets=app(2), duration_s=20.0)
    with Recorder(tmp_path) as recorder:
        run_faults(planned, scene=_asked(bench.scene()), recorder=recorder)
    (missed,) = read_history(tmp_path)
    assert isinstance(missed, FaultMissed)
    assert bench.wire.waited_s == 3.0


def _asked(scene: Any) -> Any:
    """With what the injector asks of any scene."""
    scene.subject.spec = SubjectSpec(command=["app"], instances=2)
    scene.subject.instances = range(2)
    scene.subject.is_up = lambda _: True
    return scene
