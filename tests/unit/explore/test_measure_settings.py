"""What a measure varies, and what it refuses before a broker is started for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from eoscheck.cli.measure_commit_interval import command as interval_command
from eoscheck.cli.measure_cost import command as cost_command
from eoscheck.errors import UsageError
from eoscheck.explore.measures.commit_interval import SweepPlan
from eoscheck.explore.measures.cost import CostPlan, not_held
from eoscheck.explore.measures.settings import (
    BASE_SCENARIO,
    at_interval,
    baseline_of,
    interval_of,
    with_defaults,
)
from eoscheck.run.paced import Paced
from eoscheck.run.setting import Setting, plain_load

APP = """
name = "app"
title = "App"
[topics."in-{run_id}"]
[topics."out-{run_id}"]
[subject]
command = ["app", "--plain"]
group = "app-{run_id}"
[load]
topic = "in-{run_id}"
transaction_size = 10
abort_ratio = 0.1
[audit]
input = "in-{run_id}"
output = "out-{run_id}"
id = "value"
expect = "exactly-once"
"""
SHIPPED = with_defaults(Setting(source=BASE_SCENARIO))


def app(tmp_path: Path, text: str = APP, *, command: tuple[str, ...] = ()) -> Setting:
    path = tmp_path / "app.toml"
    path.write_text(text, encoding="utf-8")
    return with_defaults(Setting(source=str(path), command=command))


def test_the_shipped_app_is_varied_by_its_settings() -> None:
    under = baseline_of(SHIPPED)
    assert "exactly_once_v2" in SHIPPED.load().subject.command
    assert "at_least_once" in under.load().subject.command
    assert (SHIPPED.load().audit.expect, under.load().audit.expect) == (
        "exactly-once",
        "at-least-once",
    )
    CostPlan(measured=SHIPPED, baseline=under)


def test_a_transaction_may_take_three_intervals_and_ten_seconds_at_least() -> None:
    command = at_interval(SHIPPED, 30.0).load().subject.command
    assert command[command.index("--commit-interval-ms") + 1] == "30000"
    assert command[command.index("--transaction-timeout-ms") + 1] == "90000"
    assert "10000" in at_interval(SHIPPED, 0.1).load().subject.command


def test_a_command_given_instead_may_use_what_the_scenario_does_not_name(tmp_path: Path) -> None:
    mine = app(tmp_path, command=("mine", "{guarantee}", "{commit_interval_ms}"))
    assert mine.load().subject.command == ["mine", "exactly_once_v2", "100"]
    assert baseline_of(mine).load().subject.command == ["mine", "at_least_once", "100"]
    assert at_interval(mine, 1.0).load().subject.command[-1] == "1000"
    assert interval_of(mine) == "100 ms"


def test_a_baseline_is_what_is_said_or_the_scenarios_own_variant(tmp_path: Path) -> None:
    said = baseline_of(app(tmp_path), differing=['subject.args=["--alos"]'])
    assert said.load().subject.args == ["--alos"]
    variant = app(tmp_path, f'{APP}[guarantees.at-least-once]\nargs = ["--twice"]\n')
    assert baseline_of(variant).load().subject.args == ["--twice"]
    assert baseline_of(variant).load().audit.expect == "at-least-once"


def test_a_subject_whose_guarantee_cannot_be_switched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"put \{guarantee\} into subject.command"):
        baseline_of(app(tmp_path))
    with pytest.raises(UsageError, match="run the same command"):
        mine = app(tmp_path)
        CostPlan(measured=mine, baseline=mine.under("audit.expect=at-least-once"))


def test_a_subject_whose_interval_cannot_be_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing says how the commit interval of app is set"):
        SweepPlan(setting=app(tmp_path), intervals=(0.1, 1.0))
    assert interval_of(app(tmp_path)) == "the subject's own"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('group = "app-{run_id}"', "", "needs subject.group"),
        ("[subject]", '[cluster]\nprovider = "external"\n[subject]', "of its own"),
        ('[topics."in-{run_id}"]', "", r'needs a table \[topics."in-'),
    ],
)
def test_what_cannot_be_measured_is_refused_early(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    mine = app(tmp_path, APP.replace(old, new), command=("mine", "{commit_interval_ms}"))
    with pytest.raises(UsageError, match=complaint):
        SweepPlan(setting=mine, intervals=(0.1, 1.0))


@pytest.mark.parametrize("intervals", [(), (0.1,), (0.1, 0.1), (0.0, 1.0)])
def test_a_sweep_needs_two_intervals(intervals: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="two commit intervals or more"):
        SweepPlan(setting=SHIPPED, intervals=intervals)


def test_input_is_written_without_transactions_at_the_rate_asked_for(tmp_path: Path) -> None:
    load = plain_load(app(tmp_path).load().load, rate=77)
    assert (load.transaction_size, load.abort_ratio, load.rate) == (None, 0.0, 77)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--shares", "25,120"], "--shares takes percents between 0 and 100"),
        (["--shares", "much"], "--shares takes percents between 0 and 100"),
        (["--commit-interval", "fast"], "--commit-interval: 'fast' is not a duration"),
        (["drain-exactly-onse"], "did you mean 'drain-exactly-once'?"),
        (["drain-exactly-once", "kill-exactly-once"], "read different topics"),
    ],
)
def test_a_usage_error_of_cost_is_one_line(words: list[str], complaint: str) -> None:
    error = CliRunner().invoke(cost_command, words, standalone_mode=False).exception
    assert isinstance(error, UsageError), error
    assert complaint in str(error)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--intervals", "1s"], "two commit intervals or more"),
        (["--intervals", "1s,soon"], "--intervals: 'soon' is not a duration"),
        (["--objective", "500ms"], "as in p99=5s"),
        (["--recovery-point", "few"], "--recovery-point: 'few' is not a duration"),
        (["--", "app"], "nothing says how the commit interval of drain-exactly-once is set"),
    ],
)
def test_a_usage_error_of_a_sweep_is_one_line(words: list[str], complaint: str) -> None:
    error = CliRunner().invoke(interval_command, words, standalone_mode=False).exception
    assert isinstance(error, UsageError), error
    assert complaint in str(error)


@pytest.mark.parametrize(
    ("paced", "reason"),
    [
        (Paced(latencies=[0.1], late_s=0.1, drained=True), None),
        (Paced(latencies=[0.1], late_s=0.3, drained=True), "0.30 s late: this machine is full"),
        (Paced(latencies=[0.1], late_s=0.0, drained=False), "did not finish its input"),
        (Paced(latencies=[], late_s=0.0, drained=True), "no output was seen"),
    ],
)
def test_a_rate_that_was_not_held_gives_no_figure(paced: Paced, reason: str | None) -> None:
    said = not_held(paced, seconds=5.0)
    assert said is None if reason is None else reason in (said or "")
