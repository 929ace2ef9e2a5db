"""Hypothesis proposes schedules: many, and quickly; whoever is asked runs a few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, reject, seed, settings, target
from hypothesis.configuration import set_hypothesis_home_dir

from eoscheck.explore.search.draw import schedules
from eoscheck.explore.search.schedule import Schedule
from eoscheck.explore.search.space import Space

Visit = Callable[[Schedule], Mapping[str, float] | None]
"""What a candidate is worth, by label, for Hypothesis to aim at; None: it cannot be planned."""


def propose(
    space: Space, *, visit: Visit, seed_: int, number: int, home: Path | None = None
) -> None:
    """One round of about `number` candidates: drawn, and from the middle of the round on made from
    the best of them (`hypothesis.target`). The same `seed_` and answers give the same candidates.

    Hypothesis neither judges nor shrinks here: it takes a test for deterministic, runs it hundreds
    of times to shrink, and calls it flaky where it once passes. So this one never fails; what
    `visit` raises ends the round, and comes out. `home`: where Hypothesis keeps what it must.
    """
    raised: list[Exception] = []
    set_hypothesis_home_dir(home)

    @seed(seed_)
    @settings(
        max_examples=number,
        phases=(Phase.generate, Phase.target),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules(space))
    def each(schedule: Schedule) -> None:
        if raised:
            return
        try:
            worth = visit(schedule)
        except Exception as error:  # noqa: BLE001 - kept from Hypothesis, raised below
            raised.append(error)
            return
        if worth is None:
            reject()
        for label, score in worth.items():
            target(score, label=label)

    each()
    if raised:
        raise raised[0]
