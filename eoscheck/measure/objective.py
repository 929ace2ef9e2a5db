"""Whether an objective such as "p99 = 5s" is met: exact, whatever the distribution.

If the true quantile were above the objective, each repetition would take longer than it with a
probability above 1 - q: so few of n that do are then a matter of less than 5 %, or it is met. The
other way round for "not met". Each answer is wrong at most 5 times of 100 (docs/measures.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.measure.extra import load
from eoscheck.measure.measured import Judgement, Objective, Outcome
from eoscheck.measure.quantiles import CONFIDENCE

_FORM = re.compile(r"p(\d{1,2}(?:\.\d+)?)=(.+)")
_MOST = 10**7


def parse_objective(text: str) -> Objective:
    """`p99=5s`. Raises UsageError."""
    match = _FORM.fullmatch(text.strip())
    quantile = float(match[1]) / 100 if match else 0.0
    if match is None or not 0 < quantile < 1:
        raise UsageError(f"an objective is a quantile and a duration, as in p99=5s, not {text!r}")
    seconds = parse_duration(match[2], what="--objective")
    if seconds <= 0:
        raise UsageError(f"--objective {text}: a duration above 0 can be met, this one cannot")
    return Objective(quantile=quantile, seconds=seconds)


def in_words(objective: Objective) -> str:
    return f"p{objective.quantile * 100:g} of at most {objective.seconds:g} s"


def judge(objective: Objective, durations: Sequence[float], *, censored: int = 0) -> Judgement:
    """`censored` more repetitions had not ended: they took longer than any objective."""
    n = len(durations) + censored
    longer = sum(each > objective.seconds for each in durations) + censored
    share = 1 - objective.quantile
    binomial = load("scipy.stats").binom
    alpha = 1 - CONFIDENCE
    said = f"{longer} of {n} took longer than {objective.seconds:g} s"
    if n and binomial.cdf(longer, n, share) <= alpha:
        return _judged(objective, "met", n, f"{said}: a p{_percent(objective)} above it would show")
    if n and binomial.sf(longer - 1, n, share) <= alpha:
        return _judged(
            objective, "not met", n, f"{said}: more than a p{_percent(objective)} at it would show"
        )
    more = _enough(longer, share) - n
    why = f"{said}: at least {more} more are needed to tell, if none of them takes longer"
    return _judged(objective, "not yet known", n, why, more=more)


def _judged(
    objective: Objective, outcome: Outcome, n: int, why: str, *, more: int | None = None
) -> Judgement:
    return Judgement(objective=objective, outcome=outcome, n=n, more=more, why=why)


def _percent(objective: Objective) -> str:
    return f"{objective.quantile * 100:g}"


def _enough(longer: int, share: float) -> int:
    """The smallest n of which `longer` are few enough for "met"."""
    binomial = load("scipy.stats").binom
    low, high = longer + 1, longer + 1
    while binomial.cdf(longer, high, share) > 1 - CONFIDENCE:
        low, high = high + 1, high * 2
        if high > _MOST:
            raise UsageError("an objective with so high a quantile takes millions of repetitions")
    while low < high:
        middle = (low + high) // 2
        if binomial.cdf(longer, middle, share) <= 1 - CONFIDENCE:
            high = middle
        else:
            low = middle + 1
    return low
