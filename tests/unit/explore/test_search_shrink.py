"""From a failing schedule to the smallest that fails, with answers that may be wrong."""

from __future__ import annotations

from collections.abc import Callable

from eoscheck.explore.search.schedule import Schedule, Table
from eoscheck.explore.search.shrink import smallest, steadiest
from tests.unit.explore.searching import SPACE

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


def test_the_fewest_faults_and_the_plain_load_are_left() -> None:
    assert smallest(WHOLE, red=Answers(needs("pause"))) == Schedule(faults=FAULTS[1:2])
    assert smallest(WHOLE, red=Answers(needs("kill", "scale-in"))).kinds == ["kill", "scale-in"]


def test_faults_that_are_all_needed_stay_as_they_are() -> None:
    kinds = [str(fault["kind"]) for fault in FAULTS]
    assert smallest(WHOLE, red=Answers(needs(*kinds))).faults == FAULTS


def test_a_knob_of_the_load_that_is_needed_stays_and_the_other_goes() -> None:
    found = smallest(WHOLE, red=Answers(lambda schedule: schedule.load.get("keys") == 1))
    assert found.load == {"keys": 1}


def test_one_wrong_answer_does_not_hide_the_smallest() -> None:
    wrong: list[Schedule] = []

    def breaks(schedule: Schedule) -> bool:
        if schedule.kinds == ["pause"] and not wrong:
            wrong.append(schedule)
            return False
        return "pause" in schedule.kinds

    assert smallest(WHOLE, red=Answers(breaks)).kinds == ["pause"]


def test_each_small_set_is_asked_about_once_before_any_is_asked_about_again() -> None:
    answers = Answers(needs("kill", "pause", "terminate", "scale-in"))
    smallest(WHOLE, red=answers)
    singles = [schedule.kinds for schedule in answers.asked if len(schedule.faults) == 1]
    assert len(singles) == 8
    assert len({tuple(kinds) for kinds in singles[:4]}) == 4


def test_without_time_it_gives_what_is_known_to_fail() -> None:
    assert smallest(WHOLE, red=Answers(needs("pause"), most=0)) == WHOLE
    assert smallest(WHOLE, red=Answers(needs("kill"), most=3)) == WHOLE


def all_fit(_: Schedule) -> bool:
    return True


def test_what_fails_each_time_is_left_as_it_is() -> None:
    answers = Answers(needs("pause"))
    one = Schedule(faults=FAULTS[1:2])
    steady = steadiest(one, red=answers, runs=3, space=SPACE, fits=all_fit)
    assert (steady.schedule, steady.red, steady.runs) == (one, 3, 3)
    assert len(answers.asked) == 3


def test_what_fails_now_and_then_is_struck_harder_until_it_always_does() -> None:
    turns: list[bool] = []

    def longer_is_sure(schedule: Schedule) -> bool:
        if schedule.faults[0]["down"] == "3000ms":
            return True
        turns.append(len(turns) % 2 == 0)
        return turns[-1]

    one = Schedule(faults=FAULTS[1:2])
    steady = steadiest(one, red=Answers(longer_is_sure), runs=3, space=SPACE, fits=all_fit)
    assert steady.schedule.faults[0]["down"] == "3000ms"
    assert (steady.red, steady.runs) == (3, 3)


def test_no_variant_is_tried_that_cannot_be_planned() -> None:
    answers = Answers(lambda _: False)
    one = Schedule(faults=FAULTS[1:2])
    steadiest(one, red=answers, runs=2, space=SPACE, fits=lambda schedule: schedule == one)
    assert answers.asked == [one, one]


def test_what_one_instance_shows_now_and_then_two_show_more_often() -> None:
    turns: list[bool] = []

    def either(schedule: Schedule) -> bool:
        if len(schedule.faults) == 2:
            first, second = schedule.faults
            assert (first["target"], second["target"]) == (1, 0)
            return True
        turns.append(len(turns) % 3 == 0)
        return turns[-1]

    one = Schedule(faults=FAULTS[1:2])
    steady = steadiest(one, red=Answers(either), runs=3, space=SPACE, fits=all_fit)
    assert [fault["at"] for fault in steady.schedule.faults] == ["1s", "4000ms"]
    assert (steady.red, steady.runs) == (3, 3)


def test_where_nothing_helps_the_schedule_stays_with_how_often_it_failed() -> None:
    turns: list[bool] = []

    def only_once(_: Schedule) -> bool:
        turns.append(not turns)
        return turns[-1]

    one = Schedule(faults=FAULTS[1:2])
    steady = steadiest(one, red=Answers(only_once), runs=3, space=SPACE, fits=all_fit)
    assert (steady.schedule, steady.red, steady.runs) == (one, 1, 3)
    assert len(turns) == 3 + 4 * 2  # a variant that can be no better is left early
