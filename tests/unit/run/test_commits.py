"""A drain is timed from commit to commit: neither its start nor its end is part of the rate."""

from __future__ import annotations

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.measure.figures import Drain
from eoscheck.run.commits import Window, follow_commits
from eoscheck.run.meter import Spent


class Machine:
    """Processes `rate` records a second on one partition, after `start_s` seconds of nothing, and
    commits what it has done every `interval_s` seconds; the brokers take half of its CPU time."""

    def __init__(self, *, rate: int, start_s: float, interval_s: float = 0.02) -> None:
        self.t = 0.0
        self.rate = rate
        self.start_s = start_s
        self.interval_s = interval_s

    def sleep(self, seconds: float) -> None:
        self.t += seconds

    def committed(self, total: int) -> dict[int, int]:
        intervals = max(0.0, self.t - self.start_s) // self.interval_s
        return {0: min(total, int(intervals * self.interval_s * self.rate))}

    def drain(self, total: int, *, seconds: float = float("inf")) -> Drain:
        return follow_commits(
            label="exactly-once",
            due={0: total},
            window=Window(warm_up=total / 10, seconds=seconds),
            committed=lambda: self.committed(total),
            spent=lambda: Spent(subject_s=self.t / 2, brokers_s=self.t / 4),
            check=lambda: None,
            clock=lambda: self.t,
            sleep=self.sleep,
        )


def test_start_up_is_no_part_of_the_rate() -> None:
    slow_start = Machine(rate=1000, start_s=30.0).drain(5000)
    assert slow_start.records_per_s == pytest.approx(1000, rel=0.02)
    assert slow_start.records == pytest.approx(4500, abs=60)
    assert slow_start.cpu_s == pytest.approx(slow_start.seconds / 2)
    assert slow_start.broker_cpu_s == pytest.approx(slow_start.seconds / 4)


def test_the_last_commit_which_waits_for_its_interval_is_no_part_of_it() -> None:
    # All is processed after 4.1 s, and committed after 5: timed to its end that would be 850/s.
    assert Machine(rate=1000, start_s=0.0, interval_s=1.0).drain(4100).records_per_s == (
        pytest.approx(1000, rel=0.03)
    )


def test_a_drain_may_be_left_once_its_window_is_over() -> None:
    machine = Machine(rate=1000, start_s=0.0, interval_s=0.1)
    drain = machine.drain(100_000, seconds=2.0)
    assert drain.seconds == pytest.approx(2.0, abs=0.15)
    assert drain.records_per_s == pytest.approx(1000, rel=0.05)
    assert machine.t < 13.0


def test_a_drain_that_does_not_end_is_bounded() -> None:
    with pytest.raises(InfrastructureError, match="did not drain 5000 records"):
        Machine(rate=1, start_s=0.0).drain(5000)


@pytest.mark.parametrize("interval_s", [0.02, 3.0])
def test_a_backlog_too_small_to_time_is_refused(interval_s: float) -> None:
    with pytest.raises(InfrastructureError, match="give it more records"):
        Machine(rate=10_000_000, start_s=0.0, interval_s=interval_s).drain(100)
