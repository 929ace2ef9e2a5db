"""What is saved is a scenario like any other: the same run, in one file that says so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from eoscheck.audit.findings import Guarantee, Verdict
from eoscheck.explore.search import whole
from eoscheck.explore.search.saved import Source, read_source, save, write_scenario
from eoscheck.explore.search.schedule import Schedule, tables_of
from eoscheck.run.scenario import load_scenario

SCHEDULE = Schedule(
    faults=(
        {"kind": "pause", "at": "1500ms", "down": "3s", "target": 1, "open_transaction": True},
        {
            "kind": "drop-response",
            "at": "2s",
            "target": 0,
            "step": "EndTxn(commit)",
            "for": "until the client gives up",
            "at_most": "20s",
        },
    ),
    load={"rate": 200.0, "keys": 1},
    seed=7,
)
APP = """
name = "my-app"
title = "My app"
[topics.in]
[topics.out]
[subject]
command = ["my-app"]
instances = 2
session_timeout = "3s"
[load]
topic = "in"
rate = 50
[audit]
input = "in"
output = "out"
id = "json:/id"
"""


def test_the_file_runs_the_schedule_on_the_scenario_as_it_was(tmp_path: Path) -> None:
    source = read_source("explore-base")
    path = save(SCHEDULE, codes=["LOST", "WRONG_RESULT"], source=source, folder=tmp_path)
    assert path.name == "explored-lost-wrong-result.toml"
    saved, base = load_scenario(path), load_scenario("explore-base")
    assert list(saved.faults) == tables_of(SCHEDULE)
    assert saved.seed == 7
    assert (saved.expect.verdict, saved.expect.codes) == (Verdict.FAIL, ["LOST", "WRONG_RESULT"])
    assert saved.load == msgspec.structs.replace(base.load, rate=200.0, keys=1)
    assert saved.timing.seconds("faults") >= 22  # until the client gives up, at most
    for part in ("topics", "subject", "audit", "cluster"):
        assert getattr(saved, part) == getattr(base, part)


def test_the_file_is_a_screen_that_says_what_it_does_and_how_to_run_it(tmp_path: Path) -> None:
    path = save(SCHEDULE, codes=["LOST"], source=read_source("explore-base"), folder=tmp_path)
    text = path.read_text()
    assert len(text.splitlines()) <= 45
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert f"#   eoscheck run {path}" in comments
    assert "# at 1.5 s: pause of instance 1 for 3 s, open_transaction" in comments
    assert any("drop-response at EndTxn(commit) of instance 0" in line for line in comments)
    assert "command" not in text  # that stands in what it extends


def test_what_options_said_is_in_the_file(tmp_path: Path) -> None:
    source = read_source(
        "explore-base",
        overrides=['subject.args=["--bug", "auto-commit"]', "load.zipf=0"],
        command=["other-app", "{state_dir}"],
    )
    saved = load_scenario(save(SCHEDULE, codes=["LOST"], source=source, folder=tmp_path))
    assert saved.subject.command == ["other-app", "{state_dir}"]
    assert saved.subject.args == ["--bug", "auto-commit"]
    assert saved.load.zipf == 0
    assert saved.load.rate == 200.0


def test_another_base_and_another_guarantee_are_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text(APP)
    source = read_source("kill-while-restoring", base=tmp_path / "app.toml")
    saved = load_scenario(save(SCHEDULE, codes=["LOST"], source=source, folder=tmp_path / "found"))
    assert saved.subject.command == ["my-app"]
    assert list(saved.faults) == tables_of(SCHEDULE)

    source = read_source("pause-short", guarantee="at-least-once")
    saved = load_scenario(save(SCHEDULE, codes=["LOST"], source=source, folder=tmp_path))
    assert saved.audit.expect is Guarantee.AT_LEAST_ONCE
    assert saved.subject.args[-2:] == ["--processing-guarantee", "at_least_once"]


def test_what_was_searched_through_a_wire_is_run_again_through_one(tmp_path: Path) -> None:
    traced = whole.prepare("explore-base", only=["kill", "drop-request"]).source
    assert load_scenario(save(SCHEDULE, codes=[], source=traced, folder=tmp_path)).trace
    plain = whole.prepare("explore-base", only=["kill"]).source
    assert not load_scenario(save(SCHEDULE, codes=[], source=plain, folder=tmp_path)).trace


def test_faults_of_the_scenario_itself_are_put_aside(tmp_path: Path) -> None:
    source = read_source("kill-exactly-once")
    write_scenario(tmp_path / "none.toml", Schedule(), source=source, name="none")
    assert load_scenario(tmp_path / "none.toml").faults == []
    write_scenario(tmp_path / "two.toml", SCHEDULE, source=source, name="two")
    assert list(load_scenario(tmp_path / "two.toml").faults) == tables_of(SCHEDULE)


@pytest.fixture
def source() -> Source:
    return read_source("explore-base")


def test_a_schedule_without_codes_expects_nothing_yet(source: Source, tmp_path: Path) -> None:
    write_scenario(tmp_path / "tried.toml", SCHEDULE, source=source, name="tried")
    assert load_scenario(tmp_path / "tried.toml").expect.verdict is Verdict.PASS
