"""Firing a plan: on a subject that is only written down, by a clock that only sleeps move."""

from __future__ import annotations

import _thread
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from eoscheck.cluster.transactions import OpenTransaction
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults import PlannedFault, Scene, run_faults
from eoscheck.faults.action import DidNotBiteError
from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    FaultMissed,
    Recorder,
    read_history,
)
from eoscheck.history.progress import Progress
from eoscheck.subject import SubjectSpec
from tests.unit.faults.tables import OneApp, fault, table

_T = TypeVar("_T", bound=Event)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.at: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment, act in list(self.at):
            if self.now >= moment:
                self.at.remove((moment, act))
                act()


class FakeSubject(OneApp):
    """States change as told; `log` holds (time, what, instance); `broken` makes an action fail."""

    def __init__(self, clock: Clock, *, instances: int = 1, **spec: Any) -> None:
        self.clock = clock
        self.spec = SubjectSpec(command=["app"], instances=instances, **spec)
        self.run_id = "r1"
        self.states = dict.fromkeys(range(instances), "up")
        self.log: list[tuple[float, str, int]] = []
        self.broken: dict[str, Exception] = {}
        self.wiped_files = 3

    @property
    def instances(self) -> range:
        return range(len(self.states))

    def is_up(self, instance: int) -> bool:
        return self.states[instance] == "up"

    def kill(self, instance: int) -> dict[str, Any]:
        return self._do("kill", instance, "down")

    def terminate(self, instance: int) -> dict[str, Any]:
        return self._do("terminate", instance, "down")

    def pause(self, instance: int) -> dict[str, Any]:
        return self._do("pause", instance, "paused")

    def resume(self, instance: int) -> dict[str, Any]:
        return self._do("resume", instance, "up")

    def wipe(self, instance: int) -> dict[str, Any]:
        self._do("wipe", instance, "down")
        return {"wiped": "/state", "wiped_files": self.wiped_files}

    def heal(self, instance: int) -> None:
        if self.states[instance] != "up":
            self._do("heal", instance, "up")

    def heal_all(self) -> None:
        for instance in self.instances:
            self.heal(instance)

    def _do(self, what: str, instance: int, then: str) -> dict[str, Any]:
        self.log.append((round(self.clock.now, 3), what, instance))
        if what in self.broken:
            raise self.broken[what]
        self.states[instance] = then
        return {"did": what}


class FakeTransactions:
    """Answers by the time; each look is counted."""

    def __init__(self, clock: Clock, answer: Callable[[float], list[OpenTransaction]]) -> None:
        self.clock = clock
        self.answer = answer
        self.asked_for: list[Any] = []

    def ongoing(self, topics: Any) -> list[OpenTransaction]:
        self.asked_for.append(topics)
        return self.answer(self.clock.now)


def transaction(name: str, started: int) -> OpenTransaction:
    return OpenTransaction(
        transactional_id=name,
        producer_id=1,
        epoch=0,
        started_ms=started,
        timeout_ms=4000,
        partitions=[("out", 0)],
    )


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.recorder = Recorder(folder, clock=self.clock)
        self.subject = FakeSubject(self.clock)

    def run(
        self, *faults: PlannedFault, view: Any = None, transactions: Any = None, **more: Any
    ) -> None:
        run_faults(
            faults,
            scene=self.scene(view=view, transactions=transactions),
            recorder=self.recorder,
            clock=self.clock,
            sleep=self.clock.sleep,
            **more,
        )

    def scene(self, **more: Any) -> Scene:
        return Scene(
            subject=self.subject,  # type: ignore[arg-type]
            **more,
        )

    def events(self, kind: type[_T]) -> list[_T]:
        return [event for event in read_history(self.folder) if isinstance(event, kind)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_fault_is_fired_at_its_time_proved_and_healed_after_its_down_time(bench: Bench) -> None:
    bench.run(fault())
    assert bench.subject.log == [(1.0, "kill", 0), (1.5, "heal", 0)]
    (injected,) = bench.events(FaultInjected)
    (healed,) = bench.events(FaultHealed)
    assert (injected.t, healed.t) == (pytest.approx(1.0), pytest.approx(1.5))
    assert injected.evidence == {"did": "kill"}
    assert injected.open_transactions is None
    assert injected.partitions is None
    assert injected.fault_id == healed.fault_id == "kill-1"


@pytest.mark.parametrize(
    ("kind", "action"),
    [("kill", "kill"), ("terminate", "terminate"), ("restart", "terminate"), ("pause", "pause")],
)
def test_each_kind_does_its_own(bench: Bench, kind: Any, action: str) -> None:
    bench.run(fault(kind=kind))
    assert [what for _, what, _ in bench.subject.log] == [action, "heal"]


def test_a_wipe_comes_after_the_kill_and_before_the_heal(bench: Bench) -> None:
    bench.run(fault(wipe=True))
    assert [what for _, what, _ in bench.subject.log] == ["kill", "wipe", "heal"]
    (injected,) = bench.events(FaultInjected)
    assert injected.wiped
    assert injected.evidence["wiped"] == "/state"


def test_wiping_an_empty_state_directory_did_not_bite(bench: Bench) -> None:
    bench.subject.wiped_files = 0
    bench.run(fault(wipe=True))
    (missed,) = bench.events(FaultMissed)
    assert "nothing to wipe" in missed.reason
    assert bench.events(FaultInjected) == []
    assert bench.subject.states == {0: "up"}


def test_a_fault_whose_target_does_not_run_is_missed_with_the_reason(bench: Bench) -> None:
    bench.subject.states[0] = "down"
    bench.run(fault(), trigger_timeout_s=2.0)
    (missed,) = bench.events(FaultMissed)
    assert "was not running" in missed.reason
    assert missed.t == pytest.approx(3.0, abs=0.02)
    assert bench.subject.states == {0: "up"}


def test_a_fault_waits_for_a_target_that_comes_up(bench: Bench) -> None:
    bench.subject.states[0] = "down"
    bench.clock.at.append((1.7, lambda: bench.subject.states.update({0: "up"})))
    bench.run(fault())
    (injected,) = bench.events(FaultInjected)
    assert injected.t == pytest.approx(1.7, abs=0.02)


def test_a_signal_that_did_not_reach_its_target_is_a_missed_fault(bench: Bench) -> None:
    bench.subject.broken["kill"] = InfrastructureError("it had ended")
    bench.run(fault(), fault(fault_id="kill-2", at_s=2.0))
    assert [missed.reason for missed in bench.events(FaultMissed)] == ["it had ended"] * 2


def test_everything_is_healed_when_the_injector_itself_fails(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, instances=2)
    bench.subject.states[1] = "paused"
    bench.subject.broken["kill"] = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        bench.run(fault())
    assert bench.subject.states == {0: "up", 1: "up"}


def test_a_stop_heals_at_once_and_names_the_faults_that_did_not_come(bench: Bench) -> None:
    stop = threading.Event()
    bench.clock.at.append((1.2, stop.set))
    bench.run(fault(down_s=100.0), fault(fault_id="kill-2", at_s=200.0), stop=stop)
    assert bench.clock.now < 2.0
    assert [what for _, what, _ in bench.subject.log] == ["kill", "heal"]
    (missed,) = bench.events(FaultMissed)
    assert (missed.fault_id, missed.reason) == ("kill-2", "the run was stopped before it was due")


def test_ctrl_c_heals_too(bench: Bench) -> None:
    """By the real clock: the main thread waits, and is interrupted there."""

    def kill_and_interrupt(instance: int) -> dict[str, Any]:
        bench.subject.states[instance] = "down"
        _thread.interrupt_main()
        return {}

    bench.subject.kill = kill_and_interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run_faults([fault(at_s=0.0, down_s=3600.0)], scene=bench.scene(), recorder=bench.recorder)
    assert bench.subject.states == {0: "up"}


def test_a_fault_that_waits_for_its_turn_does_not_strike_after_a_stop(bench: Bench) -> None:
    stop = threading.Event()
    bench.subject.states[0] = "down"

    def up_and_stop() -> None:
        bench.subject.states[0] = "up"
        stop.set()

    bench.clock.at.append((1.5, up_and_stop))
    bench.run(fault(), stop=stop)
    assert bench.subject.log == []
    assert len(bench.events(FaultMissed)) == 1


def test_faults_of_one_instance_never_overlap_even_when_one_comes_late(bench: Bench) -> None:
    bench.run(fault(down_s=5.0), fault(fault_id="kill-2", at_s=2.0))
    assert bench.subject.log == [
        (1.0, "kill", 0),
        (6.0, "heal", 0),
        (6.0, "kill", 0),
        (6.5, "heal", 0),
    ]


def test_a_fault_waits_until_each_instance_has_a_transaction_open(bench: Bench) -> None:
    opened = FakeTransactions(
        bench.clock, lambda now: [transaction("app-0", 5)] if now >= 1.3 else []
    )
    bench.run(fault(open_transaction=True), transactions=opened)
    (injected,) = bench.events(FaultInjected)
    assert injected.t == pytest.approx(1.4, abs=0.02)  # it stands still for 0.1 s before
    assert injected.open_transactions == 1
    assert injected.evidence["open_before"] == ["app-0"]
    assert opened.asked_for[0] == ["out"]


def test_a_kill_looks_again_once_its_target_stands_still(bench: Bench) -> None:
    """What the first look saw was committed before the signal came: the target goes on, and is
    killed in a transaction that it cannot end any more."""

    def answer(now: float) -> list[OpenTransaction]:
        committed = bench.subject.states[0] == "paused" and now < 2.0
        return [] if committed else [transaction("app-0", int(now))]

    bench.run(fault(open_transaction=True), transactions=FakeTransactions(bench.clock, answer))
    done = [what for _, what, _ in bench.subject.log]
    assert done[:2] == ["pause", "resume"]
    assert done[-3:] == ["pause", "kill", "heal"]
    (injected,) = bench.events(FaultInjected)
    assert 1.9 < injected.t < 2.4


def test_an_instance_that_comes_up_while_the_target_stands_still_is_waited_for_too(
    bench: Bench,
) -> None:
    """Else its transaction is not known before the kill, and nobody could tell whose is left."""
    bench.subject = FakeSubject(bench.clock, instances=2)
    bench.subject.states[1] = "down"
    bench.clock.at.append((1.05, lambda: bench.subject.heal(1)))  # paused from 1.0 s on

    def answer(now: float) -> list[OpenTransaction]:
        killed = bench.subject.states[0] == "down"
        other = [transaction("app-1", 2 if killed else 1)] if now >= 2.5 else []
        return [transaction("app-0", 1), *other]

    bench.run(fault(open_transaction=True), transactions=FakeTransactions(bench.clock, answer))
    (injected,) = bench.events(FaultInjected)
    assert injected.evidence["open_before"] == ["app-0", "app-1"]
    assert injected.open_transactions == 1
    assert injected.evidence["open_after"] == ["app-0"]


def test_a_fault_that_sees_no_transaction_in_time_fires_and_says_so(bench: Bench) -> None:
    never = FakeTransactions(bench.clock, lambda _now: [])
    bench.run(fault(open_transaction=True), transactions=never, trigger_timeout_s=2.0)
    (injected,) = bench.events(FaultInjected)
    assert injected.t == pytest.approx(3.0, abs=0.02)
    assert injected.open_transactions == 0
    assert injected.evidence["open_before"] == []


def test_the_orphan_of_an_earlier_fault_is_not_taken_for_work(bench: Bench) -> None:
    """After a wipe the old transaction stays open although nobody works in it."""

    def answer(now: float) -> list[OpenTransaction]:
        orphan = [transaction("old", 1)] if now < 9 else []
        return orphan + ([transaction("new", 2)] if now >= 4.6 else [])

    bench.run(
        fault(open_transaction=True),
        fault(fault_id="kill-2", at_s=4.0, open_transaction=True),
        transactions=FakeTransactions(bench.clock, answer),
    )
    first, second = bench.events(FaultInjected)
    assert (first.open_transactions, second.open_transactions) == (1, 1)
    assert second.t == pytest.approx(4.7, abs=0.02)
    assert second.evidence["open_after"] == ["new"]


def test_a_fault_is_in_the_history_before_its_heal_even_when_it_cannot_be_judged(
    bench: Bench,
) -> None:
    bench.subject = FakeSubject(bench.clock, instances=2)
    both = [transaction("app-0", 1), transaction("app-1", 1)]
    unchanging = FakeTransactions(bench.clock, lambda _now: both)
    bench.run(fault(open_transaction=True), transactions=unchanging)
    kinds = [type(event) for event in read_history(bench.folder)]
    assert kinds == [FaultInjected, FaultHealed]
    (injected,) = bench.events(FaultInjected)
    assert injected.open_transactions == 1
    assert "at least" in injected.evidence["open_transactions_by"]
    assert bench.subject.log[-1] == (1.6, "heal", 0)


def test_a_cluster_that_stops_answering_after_the_kill_leaves_the_count_unknown(
    bench: Bench,
) -> None:
    def answer(_now: float) -> list[OpenTransaction]:
        if bench.subject.states[0] == "down":
            raise InfrastructureError("no broker answers")
        return [transaction("app-0", 1)]

    bench.run(fault(open_transaction=True), transactions=FakeTransactions(bench.clock, answer))
    (injected,) = bench.events(FaultInjected)
    assert injected.open_transactions is None
    assert bench.events(FaultMissed) == []


def test_waiting_for_transactions_without_a_view_of_them_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="need a view"):
        bench.run(fault(open_transaction=True))
    assert bench.subject.log == []


class Member:
    def __init__(self, client_id: str, numbers: list[int], instance_id: str | None = None) -> None:
        self.client_id = client_id
        self.instance_id = instance_id
        self.partitions = {"in": numbers} if numbers else {}


class FakeView:
    def __init__(self, *members: Member, state: str = "stable") -> None:
        self.members = members
        self.state = state

    def group_state(self, group: str) -> str:
        return self.state

    def group_members(self, group: str) -> list[Member]:
        assert group == "g"
        return list(self.members)


@pytest.mark.parametrize(
    ("members", "owned"),
    [
        ([Member("app-0", [3, 1]), Member("app-1", [0, 2])], [1, 3]),
        ([Member("x", [1], instance_id="app-0"), Member("y", [0])], [1]),
        ([Member("app-0", []), Member("app-1", [0, 1])], []),
        ([Member("x", [0, 1])], None),
        ([], None),
    ],
)
def test_the_partitions_of_the_target_are_told_by_its_client_id(
    bench: Bench, members: list[Member], owned: list[int] | None
) -> None:
    bench.subject = FakeSubject(bench.clock, group="g", client_id="app-{instance}")
    bench.run(fault(), view=FakeView(*members))
    (injected,) = bench.events(FaultInjected)
    assert injected.partitions == owned


class CommittingView(FakeView):
    """A static member: its group is stable all along, but only from `since` on does it commit."""

    def __init__(self, clock: Clock, *, since: float) -> None:
        super().__init__(Member("x", [0], instance_id="app-0"), Member("y", [1]))
        self.clock = clock
        self.since = since

    def committed(self, group: str, topic: str, **_: Any) -> dict[int, int]:
        bystander = int(self.clock() * 100)
        return {0: 7 if self.clock() < self.since else 8, 1: bystander}


def test_while_a_fault_that_strikes_alone_lasts_no_other_does(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, instances=2)
    bench.run(
        fault(fault_id="lone", instance=0, at_s=1.0, down_s=3.0, alone=True),
        fault(fault_id="other", instance=1, at_s=2.0),
    )
    healed = next(each for each in bench.events(FaultHealed) if each.fault_id == "lone")
    other = next(each for each in bench.events(FaultInjected) if each.fault_id == "other")
    assert other.t >= healed.t - 0.1


def test_a_fault_that_strikes_alone_waits_until_all_others_run(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, instances=2)
    bench.run(
        fault(fault_id="other", instance=1, at_s=0.5, down_s=3.0),
        fault(fault_id="lone", instance=0, at_s=1.0, alone=True),
    )
    lone = next(each for each in bench.events(FaultInjected) if each.fault_id == "lone")
    assert lone.t >= 3.5


def test_the_targets_partitions_are_those_of_the_moment_it_strikes(bench: Bench) -> None:
    """It may wait for seconds until a transaction is open, and the group moves on meanwhile."""
    clock = bench.clock

    class Moving(FakeView):
        def group_members(self, group: str) -> list[Member]:
            return [Member("app-0", [0, 2] if clock() < 3.0 else [2, 3])]

    bench.subject = FakeSubject(clock, group="g", client_id="app-{instance}")
    bench.run(
        fault(open_transaction=True, down_s=0.0),
        view=Moving(),
        transactions=FakeTransactions(
            clock, lambda now: [transaction("t", 1)] if now >= 4.0 else []
        ),
    )
    (injected,) = bench.events(FaultInjected)
    assert injected.partitions == [2, 3]


def test_a_fault_waits_until_its_own_target_is_seen_to_commit(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, group="g", client_id="app-{instance}")
    bench.run(fault(working=True, phase_s=0.3), view=CommittingView(bench.clock, since=4.0))
    (injected,) = bench.events(FaultInjected)
    assert injected.t >= 4.3
    assert injected.evidence["worked"] is True
    assert injected.partitions == [0]


def test_a_fault_whose_target_never_works_fires_in_the_end_and_says_so(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, group="g", client_id="app-{instance}")
    bench.run(
        fault(working=True),
        view=CommittingView(bench.clock, since=math.inf),
        trigger_timeout_s=3.0,
    )
    (injected,) = bench.events(FaultInjected)
    assert 4.0 <= injected.t < 5.0
    assert injected.evidence["worked"] is False


def test_a_fault_that_waits_for_work_needs_a_way_to_see_it(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"subject\.client_id"):
        bench.run(fault(working=True), view=FakeView())


def test_a_group_between_two_assignments_cannot_tell(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, group="g", client_id="app-{instance}")
    bench.run(fault(), view=FakeView(Member("app-0", [0, 1]), state="preparing_rebalancing"))
    (injected,) = bench.events(FaultInjected)
    assert injected.partitions is None


def test_a_group_that_cannot_be_asked_does_not_keep_a_fault_from_happening(bench: Bench) -> None:
    class Away:
        def group_members(self, group: str) -> list[Member]:
            raise InfrastructureError("no broker answers")

    bench.subject = FakeSubject(bench.clock, group="g", client_id="app-{instance}")
    bench.run(fault(), view=Away())
    (injected,) = bench.events(FaultInjected)
    assert injected.partitions is None


def test_a_condition_that_does_not_come_true_makes_the_fault_missed(bench: Bench) -> None:
    bench.run(fault(when="outputs >= 10", within="2s"))
    (missed,) = bench.events(FaultMissed)
    assert "'outputs >= 10' did not come true within 2 s: the last look saw 0 outputs" in (
        missed.reason
    )
    assert bench.subject.log == []


class NoBite:
    """Nothing meets it; `undone` counts its heals."""

    target = "broker 2 (controller)"

    def __init__(self) -> None:
        self.undone = 0

    def strike(self) -> dict[str, Any]:
        return {"toxic": "latency"}

    def heal(self) -> dict[str, Any]:
        self.undone += 1
        raise DidNotBiteError("no byte went through")


def test_a_fault_that_nothing_met_is_missed_at_its_heal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = NoBite()
    monkeypatch.setattr("eoscheck.faults.injector.action_for", lambda *_: action)
    bench.run(fault())
    kinds = [type(event) for event in read_history(bench.folder)]
    assert kinds == [FaultInjected, FaultMissed, FaultHealed]
    (injected,) = bench.events(FaultInjected)
    assert injected.target == "broker 2 (controller)"
    assert bench.events(FaultMissed)[0].reason == "no byte went through"
    assert action.undone == 1


def test_a_fault_that_follows_strikes_once_the_other_is_healed(bench: Bench) -> None:
    bench.subject = FakeSubject(bench.clock, instances=2)
    bench.run(
        fault(fault_id="second", instance=1, at_s=0.5, after="first"),
        fault(fault_id="first", at_s=1.0, down_s=2.0, name="first"),
    )
    second = next(each for each in bench.events(FaultInjected) if each.fault_id == "second")
    first = next(each for each in bench.events(FaultHealed) if each.fault_id == "first")
    assert second.t >= first.t + 0.5


def test_brokers_and_links_are_healed_too_also_where_one_of_them_fails(bench: Bench) -> None:
    healed = []

    class Healing:
        def __init__(self, name: str, error: Exception | None = None) -> None:
            self.name, self.error = name, error

        def heal_all(self) -> None:
            healed.append(self.name)
            if self.error:
                raise self.error

    bench.subject.states[0] = "paused"
    scene = bench.scene(
        network=Healing("network", InfrastructureError("no answer")), brokers=Healing("brokers")
    )
    with pytest.raises(InfrastructureError, match="no answer"):
        run_faults([], scene=scene, recorder=bench.recorder)
    assert healed == ["network", "brokers"]
    assert bench.subject.states == {0: "up"}


@pytest.mark.thorough
def test_a_fault_of_the_brokers_strikes_while_an_instance_s_fault_waits_for_its_moment(
    bench: Bench,
) -> None:
    """By the real clock: two threads."""
    brokers_hit = threading.Event()

    class Broker(NoBite):
        def strike(self) -> dict[str, Any]:
            brokers_hit.set()
            return {}

        def heal(self) -> dict[str, Any]:
            return {}

    waiting = fault(fault_id="instance", at_s=0.0, when="outputs >= 1", within="20s")
    broker = PlannedFault(
        fault_id="broker", table=table("kill"), at_s=0.1, lanes=frozenset({"brokers"})
    )
    made = {"instance": NoBite(), "broker": Broker()}
    progress = Progress()

    def see_outputs() -> None:
        assert brokers_hit.wait(10.0)
        progress.outputs = 1

    watcher = threading.Thread(target=see_outputs)
    watcher.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "eoscheck.faults.injector.action_for", lambda planned, _: made[planned.fault_id]
        )
        run_faults(
            [waiting, broker], scene=bench.scene(), recorder=bench.recorder, progress=progress
        )
    watcher.join()
    assert [each.fault_id for each in bench.events(FaultInjected)] == ["broker", "instance"]
