"""A drain is timed from a tenth of the backlog to its end, so that start-up is left out."""

from __future__ import annotations

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.measure.figures import Drain
from eoscheck.run.cost import _time_commits


class Machine:
    """Commits `rate` records a second on one partition, after `start_s` seconds of nothing."""

    def __init__(self, *, rate: int, start_s: float) -> None:
        self.t = 0.0
        self.rate = rate
        self.start_s = start_s

    def clock(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        self.t += seconds

    def committed(self) -> dict[int, int]:
        return {0: int(max(0.0, self.t - self.start_s) * self.rate)}

    def drain(self, total: int) -> Drain:
        return _time_commits(
            label="exactly-once",
            due={0: total},
            committed=self.committed,
            cpu_s=lambda: self.t / 2,
            check=lambda: None,
            clock=self.clock,
            sleep=self.sleep,
        )


def test_start_up_is_no_part_of_the_rate() -> None:
    slow_start = Machine(rate=1000, start_s=30.0).drain(5000)
    assert slow_start.records_per_s == pytest.approx(1000, rel=0.02)
    assert slow_start.records == pytest.approx(4500, abs=40)
    assert slow_start.cpu_s == pytest.approx(slow_start.seconds / 2)


def test_a_drain_that_does_not_end_is_bounded() -> None:
    with pytest.raises(InfrastructureError, match="did not drain 5000 records"):
        Machine(rate=1, start_s=0.0).drain(5000)


def test_a_backlog_too_small_to_time_is_refused() -> None:
    with pytest.raises(InfrastructureError, match="give it more records"):
        Machine(rate=10_000_000, start_s=0.0).drain(100)
