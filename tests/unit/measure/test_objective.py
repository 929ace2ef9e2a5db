"""An objective is met, not met, or not yet known: exact, and wrong at most 5 times of 100."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eoscheck.errors import UsageError
from eoscheck.measure.measured import Objective
from eoscheck.measure.objective import judge, parse_objective

P99 = Objective(quantile=0.99, seconds=5.0)


@pytest.mark.parametrize(
    ("text", "quantile", "seconds"),
    [("p99=5s", 0.99, 5.0), ("p50=200ms", 0.5, 0.2), ("p99.9=1m", 0.999, 60.0)],
)
def test_an_objective_is_typed_as_people_say_it(text: str, quantile: float, seconds: float) -> None:
    parsed = parse_objective(text)
    assert parsed.seconds == seconds
    assert math.isclose(parsed.quantile, quantile)


@pytest.mark.parametrize("text", ["5s", "p99", "p0=5s", "p100=5s", "p99=0s", "p99=soon"])
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_objective(text)


def test_a_p99_takes_299_repetitions_of_which_none_is_longer() -> None:
    assert judge(P99, [1.0] * 298).outcome == "not yet known"
    assert judge(P99, [1.0] * 298).more == 1
    assert judge(P99, [1.0] * 299).outcome == "met"


def test_it_says_how_many_more_are_needed() -> None:
    unknown = judge(P99, [1.0] * 20)
    assert (unknown.outcome, unknown.n, unknown.more) == ("not yet known", 20, 279)
    one_long = judge(P99, [1.0] * 299 + [9.0])
    assert one_long.more is not None
    enough = [1.0] * (299 + one_long.more)
    assert judge(P99, [*enough, 9.0]).outcome == "met"
    assert judge(P99, [*enough[1:], 9.0]).outcome == "not yet known"


def test_it_is_not_met_as_soon_as_too_many_are_longer() -> None:
    assert judge(P99, [9.0] * 2 + [1.0] * 18).outcome == "not met"
    assert judge(P99, [1.0] * 18, censored=2).outcome == "not met"
    assert judge(P99, []).outcome == "not yet known"


def test_a_duration_of_exactly_the_objective_meets_it() -> None:
    assert judge(P99, [5.0] * 299).outcome == "met"


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [10, 30, 100, 400])
@pytest.mark.parametrize("shift", [0.999, 1.001])
def test_met_and_not_met_are_wrong_at_most_5_times_of_100(
    quantile: float, n: int, shift: float
) -> None:
    """At the hardest: the true quantile lies right beside the objective."""
    chance = np.random.default_rng([n, int(quantile * 100), int(shift * 1000)])
    objective = Objective(quantile=quantile, seconds=-math.log(1 - quantile) * shift)
    truth = "met" if shift > 1 else "not met"
    trials = 2000
    durations = chance.exponential(size=(trials, n))
    longer = np.count_nonzero(durations > objective.seconds, axis=1)
    wrong = sum(
        int(times)
        for some, times in zip(*np.unique(longer, return_counts=True), strict=True)
        if _outcome(objective, n, int(some)) not in (truth, "not yet known")
    )
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def _outcome(objective: Objective, n: int, longer: int) -> str:
    durations = [objective.seconds * 2] * longer + [objective.seconds / 2] * (n - longer)
    return judge(objective, durations).outcome
