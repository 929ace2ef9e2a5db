"""How a cell is brought about, hit and recovered: on a subject that only pretends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.explore.crashpoints.cells import parse_cell
from eoscheck.explore.crashpoints.choice import Choice, choose
from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.perform import Bounds, Performer
from eoscheck.explore.crashpoints.watch import Watch
from eoscheck.subject.instance import State
from eoscheck.wire import Firing, Rule
from tests.unit.explore.crashpoints.matrices import exchange, firing

QUICK = Bounds(reach_s=0.2, give_up_s=0.2, recover_s=0.2)


@dataclass
class Fakes:
    """A subject, its wire and its group in one: `did` tells what was done to them, in order.

    A step fires as soon as its rule is armed, or with the start of what it waits for, unless it is
    among `silent`; whoever runs commits whenever it is asked for, unless it is `idle`.
    """

    silent: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    idle: set[int] = field(default_factory=set)
    taken_over: str = ""
    stateless: bool = False
    did: list[str] = field(default_factory=list)
    waited: list[tuple[float, str]] = field(default_factory=list)
    down: set[int] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)
    now: float = 10.0
    instances = range(2)
    spec = SimpleNamespace(ready_timeout_s=0.2, stop_timeout_s=0.2)

    # the subject
    def state(self, instance: int) -> State:
        return State.DOWN if instance in self.down else State.UP

    def start(self, instance: int) -> bool:
        self.did.append(f"start {instance}")
        self.down.discard(instance)
        return True

    def heal(self, instance: int) -> None:
        if instance in self.down:
            self.start(instance)

    def terminate(self, instance: int) -> dict[str, Any]:
        if instance in self.down:
            raise InfrastructureError("it does not run")
        self.did.append(f"stop {instance}")
        self.down.add(instance)
        return {}

    def wipe(self, instance: int) -> dict[str, Any]:
        assert instance in self.down
        if self.stateless:
            raise InfrastructureError("state is empty: nothing to wipe")
        self.did.append(f"wipe {instance}")
        return {}

    def unexpected_exits(self) -> list[Any]:
        return []

    # the wire
    def arm(self, rule: Rule) -> Armed:
        self.rules.append(rule)
        return Armed(self, rule)

    # the group
    def owned(self, instance: int, **_: Any) -> list[int]:
        return [instance]

    def wait_taken_over(self, victim: int, partitions: list[int], **_: Any) -> str:
        self.did.append(f"taken over from {victim}: {list(partitions)}")
        return self.taken_over

    def clock(self) -> float:
        self.now += 0.001
        return self.now


@dataclass
class Armed:
    fakes: Fakes
    rule: Rule

    def wait(self, *, timeout_s: float, stop: Callable[[], bool] | None = None) -> Firing | None:
        rule, fakes = self.rule, self.fakes
        if rule.step in fakes.late and stop is not None:
            return None  # it has not been done yet
        if rule.step in fakes.silent or (rule.nth > 1 and f"{rule.step} again" in fakes.silent):
            return None
        assert rule.instance is not None
        leaves = rule.step == "LeaveGroup"  # it goes down with it
        assert leaves or rule.instance not in fakes.down, "who is down sends nothing"
        fakes.did.append(f"{rule.action} at {rule.step} of {rule.instance}")
        if rule.action.startswith("crash"):
            fakes.down.add(rule.instance)
        cell = parse_cell(f"{rule.step} x {rule.action}")
        return firing(cell, instance=rule.instance, t=fakes.clock())

    def wait_released(self, *, timeout_s: float, stop: Callable[[], bool]) -> bool:
        behind = self.rule.release
        assert behind is not None
        self.fakes.did.append(f"released by {behind.step} {behind.nth}")
        return True

    def release(self) -> None:
        self.fakes.did.append("release")

    def disarm(self) -> None:
        """Nothing is kept."""


class Working(Watch):
    """Whoever runs has just done what is waited for."""

    def __init__(self, fakes: Fakes) -> None:
        super().__init__()
        self._fakes = fakes

    def wait(self, wanted: Any, *, since: float, **other: Any) -> Any:
        instance = other.get("instance")
        if instance in self._fakes.idle or instance in self._fakes.down:
            return None
        rules = (rule.step for rule in self._fakes.rules)
        steps = ("EndTxn(commit)", "EndTxn(abort)", "Produce(output)", *rules)
        done = [exchange(step, instance=instance or 0, sent=since + 0.001) for step in steps]
        found = next((each for each in done if wanted(each)), None)
        if found is not None and "release" not in self._fakes.did:
            self._fakes.waited.append((since, found.steps[0]))
        return found


def performer(fakes: Fakes) -> Performer:
    return Performer(
        subject=cast(Any, fakes),
        wire=cast(Any, fakes),
        watch=Working(fakes),
        group=cast(Any, fakes),
        bounds=QUICK,
        stop=threading.Event(),
        clock=fakes.clock,
    )


def perform(
    fakes: Fakes, name: str, *, occasion: Occasion, instance: int = 0, nths: tuple[int, ...] = (1,)
) -> tuple[Performer, Outcome]:
    acting = performer(fakes)
    choice = Choice(instance=instance, nths=nths, occasion=occasion)
    return acting, acting.perform(parse_cell(name), choice)


def test_after_a_crash_another_takes_over_and_only_then_the_victim_comes_back() -> None:
    fakes = Fakes()
    acting, outcome = perform(fakes, "EndTxn(commit) x crash-after", occasion=Occasion.WORK)
    assert fakes.did == ["crash-after at EndTxn(commit) of 0", "taken over from 0: [0]"]
    assert (acting.down, outcome.over) == (0, False)
    acting.bring_back()
    assert fakes.did[-1] == "start 0"
    assert (acting.down, outcome.over, outcome.stalled) == (None, True, "")
    assert outcome.took_over_s is not None
    assert outcome.back_s is not None


def test_a_quick_restart_waits_for_nobody_and_wiped_state_is_gone_before_it() -> None:
    fakes = Fakes()
    _, outcome = perform(
        fakes, "EndTxn(commit) x crash-after x wiped x quick", occasion=Occasion.WORK
    )
    assert fakes.did == ["crash-after at EndTxn(commit) of 0", "wipe 0", "start 0"]
    assert outcome.over


def test_what_happens_at_a_start_is_brought_about_by_one() -> None:
    fakes = Fakes()
    acting, _ = perform(fakes, "JoinGroup x crash-before", occasion=Occasion.START)
    assert fakes.did[:4] == [
        "stop 0",
        "taken over from 0: [0]",
        "start 0",
        "crash-before at JoinGroup of 0",
    ]
    assert acting.down == 0


def test_what_a_crash_left_down_is_the_start_of_the_next_cell() -> None:
    fakes = Fakes()
    acting, first = perform(fakes, "EndTxn(commit) x crash-after", occasion=Occasion.WORK)
    choice = Choice(instance=1, nths=[1], occasion=Occasion.START)
    second = acting.perform(parse_cell("JoinGroup x drop-response"), choice)
    assert second.instance == 0, "whoever is down"
    assert "stop 1" not in fakes.did
    assert first.over
    assert second.over


def test_a_restore_is_brought_about_by_a_start_without_state() -> None:
    fakes = Fakes()
    perform(fakes, "Fetch(restore) x crash-before", occasion=Occasion.START)
    assert fakes.did.index("wipe 0") < fakes.did.index("start 0")


def test_what_has_no_state_is_not_judged_without_it() -> None:
    fakes = Fakes(stateless=True)
    _, outcome = perform(fakes, "EndTxn(commit) x crash-after x wiped", occasion=Occasion.WORK)
    assert "nothing to wipe" in outcome.unsure
    fakes = Fakes(stateless=True)
    _, outcome = perform(fakes, "Fetch(restore) x drop-response", occasion=Occasion.START)
    assert (outcome.unsure, outcome.over) == ("", True)


def test_a_roll_back_is_brought_about_by_records_that_are_lost() -> None:
    fakes = Fakes()
    perform(fakes, "EndTxn(abort) x crash-after", occasion=Occasion.ROLLBACK, instance=1)
    lost = [rule for rule in fakes.rules if rule.step == "Produce"]
    assert [(rule.action, rule.instance) for rule in lost] == [("drop-request", 1)]
    assert lost[0].span_s == QUICK.give_up_s


def test_what_others_see_of_a_start_hits_the_one_that_stayed() -> None:
    fakes = Fakes()
    _, outcome = perform(fakes, "SyncGroup x drop-response", occasion=Occasion.REBALANCE)
    assert fakes.did[0] == "stop 1"
    assert fakes.did[-2:] == ["start 1", "drop-response at SyncGroup of 0"]
    assert outcome.over


@pytest.mark.parametrize("action", ["drop-response", "crash-after"])
def test_what_an_instance_does_last_is_brought_about_by_its_stop(action: str) -> None:
    """Then another takes over, as after a crash."""
    fakes = Fakes()
    acting, outcome = perform(fakes, f"LeaveGroup x {action}", occasion=Occasion.STOP)
    assert "stop 0" in fakes.did
    assert fakes.did[-1].startswith("taken over from 0")
    assert (acting.down, outcome.over) == (0, False)
    acting.bring_back()
    assert outcome.over


def test_a_held_request_goes_on_once_the_client_has_done_it_again() -> None:
    fakes = Fakes()
    _, outcome = perform(fakes, "AddPartitionsToTxn x hold", occasion=Occasion.WORK)
    assert fakes.did == ["hold at AddPartitionsToTxn of 0", "release"]
    assert [step for _, step in fakes.waited] == ["AddPartitionsToTxn"]
    assert outcome.over


@pytest.mark.parametrize(
    ("step", "behind"),
    [
        ("EndTxn(commit)", "Produce 1"),
        ("EndTxn(abort)", "Produce 1"),
        ("TxnOffsetCommit", "TxnOffsetCommit 2"),
        ("OffsetCommit", "OffsetCommit 2"),
    ],
)
def test_a_held_request_comes_when_there_is_something_that_it_can_harm(
    step: str, behind: str
) -> None:
    """Released by us, once we had seen that, it came behind the end of the transaction on a busy
    machine, and met nothing: the wire does it before the client hears."""
    fakes = Fakes()
    _, outcome = perform(fakes, f"{step} x hold", occasion=Occasion.WORK)
    assert fakes.did == [f"hold at {step} of 0", f"released by {behind}", "release"]
    assert outcome.over


def test_a_later_occurrence_that_does_not_come_is_followed_by_the_first() -> None:
    fakes = Fakes(silent={"JoinGroup again"})
    _, outcome = perform(fakes, "JoinGroup x drop-response", occasion=Occasion.START, nths=(2, 1))
    assert [rule.nth for rule in fakes.rules] == [2, 1]
    assert (outcome.nth, outcome.reason) == (1, "")


def test_a_step_that_does_not_come_says_so_and_leaves_nothing_down() -> None:
    fakes = Fakes()
    acting, crashed = perform(fakes, "EndTxn(commit) x crash-after", occasion=Occasion.WORK)
    fakes.silent.add("OffsetFetch")
    choice = Choice(instance=0, nths=[1], occasion=Occasion.START)
    outcome = acting.perform(parse_cell("OffsetFetch x crash-before"), choice)
    assert outcome.firing is None
    assert "sent no OffsetFetch" in outcome.reason
    assert fakes.down == set()
    assert crashed.over


def test_what_is_done_just_as_the_wait_ends_counts() -> None:
    """Else an instance is killed, and nobody knows."""
    fakes = Fakes(late={"EndTxn(commit)"})
    acting, outcome = perform(fakes, "EndTxn(commit) x crash-after", occasion=Occasion.WORK)
    assert outcome.firing is not None
    assert acting.down == 0


def test_where_nobody_takes_over_the_subject_has_stalled() -> None:
    fakes = Fakes(taken_over="no other instance owns partitions [0]")
    _, outcome = perform(fakes, "EndTxn(commit) x crash-after", occasion=Occasion.WORK)
    assert "nobody took over from instance 0" in outcome.stalled


def test_a_victim_that_does_not_work_again_has_stalled() -> None:
    fakes = Fakes(idle={0})
    acting, outcome = perform(fakes, "EndTxn(commit) x crash-after", occasion=Occasion.WORK)
    acting.bring_back()
    assert not outcome.over
    assert "instance 0 has committed nothing" in outcome.stalled


def test_a_client_that_does_not_give_up_within_the_span_is_not_judged() -> None:
    fakes = Fakes(idle={0})
    _, outcome = perform(fakes, "Produce x drop-request x span", occasion=Occasion.WORK)
    assert "--client-timeout" in outcome.unsure
    assert fakes.rules[0].span_s == QUICK.give_up_s


def test_the_seed_chooses_the_victim_and_the_occurrence() -> None:
    steps = [LearnedStep(step="JoinGroup", occasion=Occasion.START, times=2)]
    cell = parse_cell("EndTxn(commit) x crash-after")
    chosen = [choose(cell, seed=seed, steps=steps, instances=2) for seed in range(30)]
    assert chosen == [choose(cell, seed=seed, steps=steps, instances=2) for seed in range(30)]
    assert {each.instance for each in chosen} == {0, 1}
    assert {each.nths[0] for each in chosen} == {1, 2, 3}
    assert all(each.nths[-1] == 1 for each in chosen)
    joins = [
        choose(parse_cell("JoinGroup x crash-after"), seed=seed, steps=steps, instances=2)
        for seed in range(30)
    ]
    assert {each.nths[0] for each in joins} == {1, 2}, "no later one than was seen"
