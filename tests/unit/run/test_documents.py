"""A scenario may extend another, be put upon an app of one's own, be run under two guarantees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.audit.findings import Guarantee, Verdict
from eoscheck.errors import UsageError
from eoscheck.run.naming import repeat_run
from eoscheck.run.scenario import load_scenario, shipped_scenarios

BASE = """
name = "base"
title = "Base"
[topics."in-{run_id}"]
partitions = 2
[subject]
command = ["app", "--mode", "eos"]
[load]
topic = "in-{run_id}"
rate = 100
[timing]
steady = "1s"
[audit]
input = "in-{run_id}"
output = "out-{run_id}"
id = "value"
[guarantees.at-least-once]
args = ["--mode", "alos"]
expect = { verdict = "fail", codes = ["LOST"] }
"""
CHILD = """
extends = "base.toml"
name = "child"
title = "Child"
[load]
rate = 900
[[faults]]
kind = "broker-kill"
broker = "leader:{output}/0"
"""


@pytest.fixture
def child(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(BASE)
    path = tmp_path / "child.toml"
    path.write_text(CHILD)
    return path


def test_a_scenario_says_only_what_is_different_from_the_one_it_extends(child: Path) -> None:
    scenario = load_scenario(child, run_id="r")
    assert (scenario.name, scenario.title) == ("child", "Child")
    assert (scenario.load.topic, scenario.load.rate) == ("in-r", 900)
    assert scenario.timing.steady == "1s"
    assert scenario.topics["in-r"].partitions == 2


def test_topics_in_faults_are_those_of_whatever_it_extends(child: Path) -> None:
    fault: Any = load_scenario(child, run_id="r").faults[0]
    assert fault.broker == "leader:out-r/0"


def test_another_app_takes_the_place_of_what_it_extends(child: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(BASE.replace('"app"', '"mine"').replace("out-{run_id}", "results"))
    scenario = load_scenario(child, run_id="r", base=own)
    fault: Any = scenario.faults[0]
    assert scenario.subject.command[0] == "mine"
    assert fault.broker == "leader:results/0"


def test_under_another_guarantee_the_subject_is_told_and_judged_by_it(child: Path) -> None:
    scenario = load_scenario(child, guarantee="at-least-once")
    assert scenario.subject.args == ["--mode", "alos"]
    assert scenario.audit.expect is Guarantee.AT_LEAST_ONCE
    assert scenario.expect.verdict is Verdict.FAIL
    assert load_scenario(child, guarantee="exactly-once") == load_scenario(child)


def test_a_guarantee_that_it_says_nothing_of_is_refused(child: Path) -> None:
    with pytest.raises(UsageError, match=r"knows exactly-once, at-least-once"):
        load_scenario(child, guarantee="at-most-once")


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ('"missing.toml"', "no file .*missing.toml to extend"),
        ('"child.toml"', "do they extend each other"),
        ("3", "extends is the path"),
    ],
)
def test_what_cannot_be_extended_is_refused(child: Path, extends: str, message: str) -> None:
    child.write_text(CHILD.replace('"base.toml"', extends))
    with pytest.raises(UsageError, match=message):
        load_scenario(child)


def test_a_base_is_no_scenario_of_the_catalogue() -> None:
    assert not [path for path in shipped_scenarios() if path.name.startswith("_")]


def test_a_run_is_repeated_with_its_base_and_its_guarantee() -> None:
    line = repeat_run("kill", seed=3, base=Path("my app.toml"), guarantee="at-least-once")
    assert line == ("eoscheck run kill --seed 3 --base 'my app.toml' --guarantee at-least-once")


SETTINGS = (
    BASE.replace('"eos"', '"{mode}"').replace('"app"', '"app", "{{mode}}", "{commit_ms}"')
    + '[settings]\nmode = "eos"\ncommit_ms = 100\n'
)


def test_a_setting_stands_wherever_its_name_does_and_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "app.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    as_written = load_scenario(path)
    assert as_written.subject.command == ["app", "{{mode}}", "100", "--mode", "eos"]
    replaced = load_scenario(path, overrides=["settings.mode=alos", "settings.commit_ms=1000"])
    assert replaced.subject.command[-3:] == ["1000", "--mode", "alos"]
    assert replaced.settings == {"mode": "alos", "commit_ms": 1000}


def test_a_setting_reaches_a_command_given_instead(tmp_path: Path) -> None:
    path = tmp_path / "app.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    assert load_scenario(path, command=["mine", "{mode}"]).subject.command == ["mine", "eos"]


@pytest.mark.parametrize("name", ["run_id", "seq", "instance", "input"])
def test_a_setting_must_not_take_a_name_that_has_a_meaning(tmp_path: Path, name: str) -> None:
    path = tmp_path / "app.toml"
    path.write_text(f"{BASE}[settings]\n{name} = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"app.toml: settings.{name}: .* has a meaning already"):
        load_scenario(path)
