"""What is struck, when the next fault comes, and what a kind's repetitions come to."""

from __future__ import annotations

import pytest

from eoscheck.cli.measure_recovery import exit_code
from eoscheck.errors import UsageError
from eoscheck.explore.measures.kinds import Kinds
from eoscheck.explore.measures.recovery import kind_figure, late_by
from eoscheck.explore.measures.recovery_told import headline
from eoscheck.explore.measures.strikes import Calm, planned_strikes
from eoscheck.history import Event, FaultMissed, LogSampled, PhaseStarted, RunStarted
from eoscheck.measure import from_history
from eoscheck.measure.measured import KindFigure, Objective
from eoscheck.run.scenario import load_scenario
from tests.unit.measure.histories import Simulation, fault, lag, seen, sent
from tests.unit.report import samples

OBJECTIVE = Objective(quantile=0.5, seconds=60.0)
START = RunStarted(t=0, run_id="r", scenario="s", seed=1, started_at="", environment={})


def figure(objective: Objective | None = None) -> KindFigure:
    events = Simulation(kills=10, duration_s=60.0).run()
    recoveries = from_history(events).recoveries
    return kind_figure("kill", recoveries, events, objective=objective)


def test_each_kind_is_a_table_of_so_many_faults() -> None:
    scenario = load_scenario("measure-recovery")
    kinds = Kinds(repetitions=4)
    names, notes = kinds.possible(scenario)
    assert (names, notes) == (list(kinds.names), [])
    for name in names:
        strikes = planned_strikes(
            kinds.table(name, scenario),
            subject=scenario.subject,
            seed=1,
            count=4,
            down_s=kinds.down_s(name),
        )
        assert len(strikes) == 4
        assert all(each.wipe is (name == "kill-wiped") for each in strikes)
        assert all(each.at_s == 0 for each in strikes)


def test_a_broker_is_killed_only_where_two_are_left() -> None:
    one = load_scenario("measure-recovery", overrides=["cluster.brokers=1"])
    names, notes = Kinds().possible(one)
    assert "broker-kill" not in names
    assert notes == ["broker-kill is left out: it needs cluster.brokers = 3, and there is 1"]
    with pytest.raises(UsageError, match="broker-kill is left out"):
        Kinds(names=["broker-kill"]).possible(one)


def test_a_kind_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="kill"):
        Kinds(names=["kil"])
    with pytest.raises(UsageError, match="--repetitions"):
        Kinds(repetitions=0)
    with pytest.raises(UsageError, match="at once"):
        Kinds(down={"restart": "1s"})


def log(t: float, *, end: int, stable: int) -> LogSampled:
    return LogSampled(t=t, topic="out", high_watermarks={0: end}, last_stable_offsets={0: stable})


def told(*events: Event) -> Calm:
    """After a fault at 10 s that was healed at 11 s; the lag before was 5."""
    calm = Calm()
    calm(lag(9.0, 5))
    calm.about_to_strike(10.0)
    calm.healed(11.0)
    for event in events:
        calm(event)
    return calm


def test_the_next_fault_waits_until_the_last_one_does_not_show() -> None:
    free = log(11.1, end=10, stable=10)
    assert told(free, seen(12.0, 1), lag(12.5, 5), lag(13.0, 4)).reached(13.2)
    assert not told(free, lag(12.5, 5), lag(13.0, 4)).reached(13.2)  # nothing came out
    assert not told(free, seen(12.0, 1), lag(12.5, 6), lag(13.0, 4)).reached(13.2)  # still behind
    assert not told(free, seen(11.1, 1), lag(11.2, 0)).reached(11.3)  # it has not risen yet
    held = told(log(11.1, end=10, stable=3), seen(12.0, 1), lag(12.5, 5), lag(13.0, 4))
    assert not held.reached(13.2)  # readers are held back by what it left open
    held(log(13.3, end=50, stable=12))
    held(lag(13.4, 3))
    assert held.reached(13.5)


def test_repetitions_become_quantiles_phases_and_a_judgement() -> None:
    kind = figure(OBJECTIVE)
    assert kind.recovered is not None
    assert kind.recovered.n == len(kind.samples) == 10
    assert kind.judgement is not None
    assert kind.judgement.outcome == "met"
    assert {each.phase for each in kind.phases if each.durations} >= {"first commit", "caught up"}


def test_what_did_not_bite_or_had_no_input_is_left_out_and_said() -> None:
    history: list[Event] = [
        START,
        sent(1.0, (1, 0, 1.0)),
        seen(2.0, 1),
        fault(10.0, "f1"),
        FaultMissed(t=12.0, fault_id="f1", kind="kill", reason="it was away"),
        fault(20.0, "f2"),
    ]
    kind = kind_figure("kill", from_history(history).recoveries, history)
    assert kind.recovered is None
    assert kind.left_out == {
        "did not bite: it was away": 1,
        "no input came to its partitions afterwards": 1,
    }


def test_a_load_that_does_not_hold_its_rate_shows() -> None:
    history: list[Event] = [sent(9.0, (1, 0, 3.0)), PhaseStarted(t=10.0, phase="drain")]
    assert late_by(history) == pytest.approx(7.0)


@pytest.mark.thorough
def test_a_red_run_goes_before_every_figure() -> None:
    kinds = [figure()]
    assert headline(kinds, red=0).startswith("Half of the recoveries")
    assert headline(kinds, red=1).startswith("A run did not pass the audit")
    assert "met after kill" in headline([figure(OBJECTIVE)], red=0)


@pytest.mark.thorough
def test_the_exit_code_is_the_worst_of_audits_and_objective() -> None:
    passed = samples.passing()
    met = figure(OBJECTIVE)
    missed = figure(Objective(quantile=0.5, seconds=0.001))
    unknown = figure(Objective(quantile=0.99, seconds=60.0))
    assert exit_code([passed], [met]) == 0
    assert exit_code([passed], [met, unknown]) == 2
    assert exit_code([passed], [unknown, missed]) == 1
    assert exit_code([passed, samples.broken()], [met]) == 1
    assert exit_code([samples.undecided()], [met]) == 2
