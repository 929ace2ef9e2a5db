"""From a failing schedule to the smallest that fails, with answers that may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eoscheck.explore.search.loads import busy
from eoscheck.explore.search.schedule import Schedule, Table
from eoscheck.explore.search.shrink import Steadiness, proven, smallest, steadiest
from tests.unit.explore.search.searching import SPACE

FAULTS: tuple[Table, ...] = tuple(
    {"kind": kind, "at": f"{number}s", "down": "1s", "target": number % 2}
    for number, kind in enumerate(["kill", "pause", "terminate", "scale-in"])
)
WHOLE = Schedule(faults=FAULTS, load={"rate": 100.0, "keys": 1})


class Answers:
    """Red by `breaks`, for so many runs; `asked` has each schedule."""

    def __init__(self, breaks: Callable[[Schedule], bool], *, most: int = 1000) -> None:
        self._breaks, self._most = breaks, most
        self.asked: list[Schedule] = []

    def __call__(self, schedule: Schedule) -> bool | None:
        if len(self.asked) >= self._most:
            return None
        self.asked.append(schedule)
        return self._breaks(schedule)


def needs(*kinds: str) -> Callable[[Schedule], bool]:
    return lambda schedule: set(kinds) <= set(schedule.kinds)


def all_fit(_: Schedule) -> bool:
    return True


def shrunk(answers: Answers, whole: Schedule = WHOLE) -> Steadiness:
    failed = Steadiness(schedule=whole, red=2, runs=3)
    return smallest(failed, red=answers, space=SPACE, fits=all_fit, runs=3)


def test_the_fewest_faults_and_the_plain_load_are_left() -> None:
    assert shrunk(Answers(needs("pause"))).schedule == Schedule(faults=FAULTS[1:2])
    two = shrunk(Answers(needs("kill", "scale-in")))
    assert two.schedule.kinds == ["kill", "scale-in"]
    assert (two.red, two.runs) == (3, 3)


def test_faults_that_are_all_needed_stay_as_they_are() -> None:
    kinds = [str(fault["kind"]) for fault in FAULTS]
    assert shrunk(Answers(needs(*kinds))).schedule.faults == FAULTS


def test_a_knob_of_the_load_that_is_needed_stays_and_the_other_goes() -> None:
    found = shrunk(Answers(lambda schedule: schedule.load.get("keys") == 1))
    assert found.schedule.load == {"keys": 1}


def test_a_load_that_keeps_the_app_busy_stays_for_without_it_less_is_at_stake() -> None:
    answers = Answers(needs("pause"))
    hard = Schedule(faults=FAULTS[1:2], load=busy(SPACE.load))
    assert shrunk(answers, hard).schedule.load == hard.load
    assert all(each.load == hard.load for each in answers.asked)


def test_one_wrong_answer_does_not_hide_the_smallest() -> None:
    wrong: list[Schedule] = []

    def breaks(schedule: Schedule) -> bool:
        if schedule.kinds == ["pause"] and not wrong:
            wrong.append(schedule)
            return False
        return "pause" in schedule.kinds

    assert shrunk(Answers(breaks)).schedule.kinds == ["pause"]


def test_each_small_set_is_asked_about_once_before_any_is_asked_about_again() -> None:
    answers = Answers(needs("kill", "pause", "terminate", "scale-in"))
    shrunk(answers)
    singles = [schedule.kinds for schedule in answers.asked if len(schedule.faults) == 1]
    assert len(singles) == 8
    assert len({tuple(kinds) for kinds in singles[:4]}) == 4


def test_two_faults_that_fail_each_time_are_better_than_one_that_does_now_and_then() -> None:
    turns: list[bool] = []

    def breaks(schedule: Schedule) -> bool:
        if {"kill", "pause"} <= set(schedule.kinds):
            return True
        if "pause" not in schedule.kinds:
            return False
        turns.append(len(turns) % 2 == 0)
        return turns[-1]

    found = shrunk(Answers(breaks))
    assert found.schedule.kinds == ["kill", "pause"]
    assert (found.red, found.runs) == (3, 3)


def test_without_time_it_gives_what_is_known_to_fail() -> None:
    untouched = shrunk(Answers(needs("pause"), most=0))
    assert (untouched.schedule, untouched.red, untouched.runs) == (WHOLE, 2, 3)
    assert shrunk(Answers(needs("kill"), most=3)).schedule == WHOLE


def harder(answers: Answers, *, fits: Callable[[Schedule], bool] = all_fit) -> Steadiness:
    found = Steadiness(schedule=Schedule(faults=FAULTS[1:2]), red=1, runs=3)
    return steadiest(found, red=answers, runs=3, space=SPACE, fits=fits)


def test_what_fails_now_and_then_is_struck_harder_until_it_always_does() -> None:
    steady = harder(Answers(lambda schedule: schedule.faults[0]["down"] == "3000ms"))
    assert steady.schedule.faults[0]["down"] == "3000ms"
    assert (steady.red, steady.runs) == (3, 3)


def test_what_is_lost_now_and_then_is_lost_until_the_client_gives_up() -> None:
    lost: Table = {"kind": "drop-response", "at": "1s", "target": 0, "step": "EndTxn(commit)"}
    found = Steadiness(schedule=Schedule(faults=(lost,)), red=1, runs=3)
    answers = Answers(lambda schedule: "for" in schedule.faults[0])
    steady = steadiest(found, red=answers, runs=3, space=SPACE, fits=all_fit)
    assert steady.schedule.faults[0]["for"] == "until the client gives up"
    assert (steady.red, steady.runs) == (3, 3)


def test_no_variant_is_tried_that_cannot_be_planned() -> None:
    answers = Answers(lambda _: True)
    left = harder(answers, fits=lambda _: False)
    assert answers.asked == []
    assert (left.red, left.runs) == (1, 3)


def test_what_one_instance_shows_now_and_then_two_show_more_often() -> None:
    steady = harder(Answers(lambda schedule: len(schedule.faults) == 2))
    first, second = steady.schedule.faults
    assert (first["target"], second["target"]) == (1, 0)
    assert (first["at"], second["at"]) == ("1s", "4000ms")
    assert (steady.red, steady.runs) == (3, 3)


def test_what_an_idle_app_shows_now_and_then_a_busy_one_does_each_time() -> None:
    steady = harder(Answers(lambda schedule: schedule.load.get("rate", 0) > SPACE.load.rate))
    assert steady.schedule.load["rate"] == 3 * SPACE.load.rate
    assert (steady.red, steady.runs) == (3, 3)


def test_an_app_without_transactions_is_not_asked_to_have_one_open() -> None:
    answers = Answers(lambda _: False)
    found = Steadiness(schedule=Schedule(faults=FAULTS[1:2]), red=1, runs=3)
    plain = replace(SPACE, steps={"Produce(output)": 90, "OffsetCommit": 30})
    steadiest(found, red=answers, runs=3, space=plain, fits=all_fit)
    assert answers.asked
    assert not any("open_transaction" in f for each in answers.asked for f in each.faults)


def test_where_nothing_helps_the_schedule_stays_with_how_often_it_failed() -> None:
    answers = Answers(lambda _: False)
    left = harder(answers)
    assert (left.schedule.faults, left.red, left.runs) == (FAULTS[1:2], 1, 3)
    assert len(answers.asked) == 9 * 2  # a variant that can be no better is left early


def sure(answers: Answers) -> Steadiness:
    found = Steadiness(schedule=Schedule(faults=FAULTS[1:2]), red=3, runs=3)
    return proven(found, red=answers, space=SPACE, fits=all_fit)


def test_what_is_red_ten_times_is_proven() -> None:
    answers = Answers(lambda _: True)
    proof = sure(answers)
    assert (proof.schedule.faults, proof.red, proof.runs) == (FAULTS[1:2], 10, 10)
    assert len(answers.asked) == 7  # it was red three times before


def test_one_green_run_of_ten_makes_it_strike_harder() -> None:
    turns: list[bool] = []

    def breaks(schedule: Schedule) -> bool:
        if schedule.faults[0]["down"] != "1s":
            return True
        turns.append(len(turns) % 5 != 4)
        return turns[-1]

    proof = sure(Answers(breaks))
    assert proof.schedule.faults[0]["down"] == "3000ms"
    assert (proof.red, proof.runs) == (10, 10)


def test_without_time_it_is_proven_as_often_as_there_was_time_for() -> None:
    proof = sure(Answers(lambda _: True, most=4))
    assert (proof.red, proof.runs) == (7, 7)
    unproven = sure(Answers(lambda _: True, most=0))
    assert (unproven.red, unproven.runs) == (3, 3)


def test_a_single_fault_that_always_fails_is_asked_as_often_as_it_must_be_and_no_more() -> None:
    answers = Answers(needs("pause"))
    single = Steadiness(schedule=Schedule(faults=FAULTS[1:2]), red=2, runs=2)
    small = smallest(single, red=answers, space=SPACE, fits=all_fit, runs=3)
    assert (small.red, small.runs) == (3, 3)
    assert [schedule.kinds for schedule in answers.asked] == [[], ["pause"]]
