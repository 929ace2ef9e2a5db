from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eoscheck.history import (
    BrokerChanged,
    Event,
    FaultMissed,
    GroupSampled,
    InstanceExited,
    PhaseStarted,
)
from eoscheck.report.live import LiveView, sparkline
from tests.unit.measure.histories import Simulation, fault, healed, lag, seen, sent


def shown(events: list[Event], *, every_s: float = 2.0) -> list[str]:
    output = io.StringIO()
    console = Console(file=output, force_terminal=False, width=40)
    with LiveView("A run", console=console, every_s=every_s) as view:
        for event in events:
            view(event)
    return output.getvalue().splitlines()


def test_without_a_terminal_there_is_a_plain_line_at_most_every_two_seconds() -> None:
    history = Simulation(duration_s=20.0).run()
    title, *lines = shown(history)
    phases = 4  # each new phase has a line at once
    assert title == "A run"
    assert 5 <= len(lines) <= 20 / 2 + phases + 2
    assert not [line for line in lines if "\x1b" in line or "\r" in line]
    times = [float(re.match(r" *([\d.]+) s", line)[1]) for line in lines]  # type: ignore[index]
    assert times == sorted(times)


def test_rates_lag_faults_and_absent_instances_are_shown() -> None:
    lines = shown(
        [
            PhaseStarted(t=0.0, phase="steady"),
            PhaseStarted(t=8.0, phase="faults"),
            sent(9.0, *((i, 0, 9.0) for i in range(200))),
            seen(9.2, *range(100)),
            lag(9.3, 1234),
            fault(9.4, instance=1),
            FaultMissed(t=9.5, fault_id="f2", kind="kill", reason="gone already"),
            *Simulation(instances=1, kills=0, duration_s=3.0).run()[:0],
            lag(10.0, 1500),
        ]
    )
    last = lines[-1]
    assert "10.0 s under fire" in last
    assert "sent 100/s" in last
    assert "committed 50/s" in last
    assert "lag 1,500" in last
    assert "1 fault, last: kill of instance 1 at 9.4 s" in last
    assert "1 missed" in last


def test_a_fault_of_something_else_than_an_instance_is_shown_with_its_target() -> None:
    broker = fault(1.0, kind="broker-kill", instance=None, target="broker 2 (controller)")
    lines = shown([broker, lag(2.0, 5)])
    assert "last: broker-kill of broker 2 (controller) at 1.0 s" in lines[-1]


def test_rates_forget_what_is_older_than_their_window() -> None:
    lines = shown([seen(1.0, *range(100)), lag(10.0, 0)])
    assert "committed 0/s" in lines[-1]


def test_an_instance_that_is_away_is_named() -> None:
    history = Simulation(duration_s=12.0, kills=2, seed=4).run()
    lines = shown(history, every_s=0.0)
    assert any("instance 0 down" in line or "instance 1 down" in line for line in lines)
    assert "down" not in lines[-1]


def test_lines_come_with_the_runs_clock_not_with_the_number_of_events() -> None:
    burst: list[Event] = [GroupSampled(t=1.0, lag=i, committed={}, ends={}) for i in range(1000)]
    assert len(shown(burst)) == 2


def test_on_a_terminal_one_line_changes_and_the_cursor_comes_back() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, height=20)
    with LiveView("A run", console=console) as view:
        for event in Simulation(duration_s=6.0, kills=1).run():
            view(event)
    text = output.getvalue()
    assert text.endswith("\x1b[2K") or "\x1b[?25h" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_a_recovery_is_told_when_input_that_came_after_the_fault_came_out() -> None:
    lines = shown(
        [
            sent(1.0, (1, 0, 1.0)),
            fault(2.0, "f1", partitions=[0]),
            seen(2.5, 1),  # sent before it: proves nothing
            sent(3.0, (2, 1, 3.0), (3, 0, 3.0)),
            seen(3.5, 2),  # a bystander's
            lag(4.0, 9),
            seen(5.5, 3),
            fault(6.0, "f2", partitions=[0]),
            healed(6.5, "f2"),
            lag(8.0, 5),
        ],
        every_s=0.0,
    )
    assert "0 of 1 recovered" in next(line for line in lines if "4.0 s" in line)
    assert "1 of 2 recovered, p50 3.50 s, longest 3.50 s" in lines[-1]


def test_an_output_that_is_told_before_its_input_counts_too() -> None:
    """Acknowledgements are written down in large batches."""
    lines = shown(
        [
            fault(2.0, partitions=[0]),
            seen(4.0, 3),
            sent(6.0, (2, 0, 1.9), (3, 0, 3.0), (4, 0, 3.1)),
            lag(6.5, 9),
        ],
        every_s=0.0,
    )
    assert "1 of 1 recovered, p50 2.00 s" in lines[-1]


def test_where_the_victims_partitions_are_not_known_all_have_to_come_back() -> None:
    lines = shown(
        [
            fault(1.0, partitions=None),
            sent(2.0, (1, 0, 2.0), (2, 1, 2.0)),
            seen(3.0, 1),
            lag(3.5, 9),
            seen(4.0, 2),
            lag(6.0, 5),
        ],
        every_s=0.0,
    )
    assert "0 of 1 recovered" in next(line for line in lines if "3.5 s" in line)
    assert "1 of 1 recovered, p50 3.00 s" in lines[-1]


def test_what_is_noticed_before_the_audit_is_told() -> None:
    lines = shown(
        [
            seen(1.0, 1, 2),
            seen(2.0, 2, 3),
            InstanceExited(t=2.5, instance=1, pid=5, code=1, expected=False),
            BrokerChanged(t=2.6, broker=2, state="paused"),
            lag(5.0, 1),
        ]
    )
    assert "1 output seen again" in lines[-1]
    assert "1 instance ended unasked" in lines[-1]
    assert "instance 1 down" in lines[-1]
    assert "broker 2 paused" in lines[-1]


def test_a_terminal_gets_a_table_and_is_left_as_it_was() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, height=30)
    with LiveView("A run", console=console) as view:
        for event in Simulation(duration_s=12.0, kills=2).run():
            view(event)
            if isinstance(event, GroupSampled):  # it redraws by the clock on the wall
                view._live.refresh()  # type: ignore[union-attr]
    text = output.getvalue()
    for word in ("committed", "sent", "backlog", "instances", "faults", "recovered", "█"):
        assert word in text
    assert text.endswith("\x1b[?25h") or "\x1b[?25h" in text  # the cursor is back


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_a_spark_line_has_a_mark_for_each_value_and_hides_none(values: list[int]) -> None:
    line = sparkline(values)
    assert len(line) in (0, len(values))
    for value, mark in zip(values, line, strict=False):
        assert (value == 0) == (mark == "▁")
        assert (value == max(values)) <= (mark == "█")
