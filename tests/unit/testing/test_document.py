"""A test's scenario: from a file, from fixtures, from both."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.errors import UsageError
from eoscheck.explore.search.schedule import Schedule
from eoscheck.run.scenario import Scenario
from eoscheck.testing.document import Tables, compose
from eoscheck.testing.settings import Asked, Marked, Settings, asked_for

APP = {"command": ["app", "--in={input}", "{output}", "{{input}}"], "env": {"G": "{group}"}}


def asked(**marked: object) -> Asked:
    return asked_for(Marked(**marked), Settings(), given={})  # type: ignore[arg-type]


def composed(tables: Tables, *, folders: tuple[Path, ...] = (), **marked: object) -> Scenario:
    return compose(
        asked(**marked), tables, name="test-x", title="test x", run_id="r1", folders=folders
    )


def test_an_app_is_all_that_need_be_said() -> None:
    scenario = composed(Tables(subject=APP))
    assert scenario.subject.command == ["app", "--in=input-r1", "output-r1", "{{input}}"]
    assert scenario.subject.env == {"G": "group-r1"}
    assert scenario.subject.group == scenario.audit.group == "group-r1"
    assert (scenario.load.topic, scenario.audit.input) == ("input-r1", "input-r1")
    assert set(scenario.topics) == {"input-r1", "output-r1"}
    assert [(fault.kind, fault.count) for fault in scenario.faults] == [("kill", 3)]
    assert scenario.subject.instances == 2


def test_without_an_app_it_says_how_to_name_one() -> None:
    with pytest.raises(UsageError, match="write a fixture eos_subject"):
        composed(Tables())


def test_topics_that_the_test_has_made_are_not_made_again() -> None:
    scenario = composed(
        Tables(subject=APP, load={"topic": "mine"}, audit={"output": "theirs"}),
    )
    assert scenario.topics == {}
    assert scenario.subject.command[1:3] == ["--in=mine", "theirs"]


def test_who_shapes_records_says_what_makes_them_unique() -> None:
    """The default identity belongs to the default records."""
    shaped = {"value": {"order": "{seq}"}}
    assert composed(Tables(subject=APP, load=shaped)).audit.id == "key"
    given = {"id": "json:/order"}
    assert composed(Tables(subject=APP, load=shaped, audit=given)).audit.id == "json:/order"
    assert composed(Tables(subject=APP)).audit.id == "json:/payment_id"


def test_a_shipped_scenario_takes_fixtures_over_it() -> None:
    scenario = composed(
        Tables(load={"rate": 70.0}, faults=[{"kind": "pause", "at": "1s"}]),
        scenario="kill-commit",
        instances=3,
    )
    assert scenario.name == "kill-commit"
    assert (scenario.load.rate, scenario.load.keys) == (70.0, 300)
    assert [fault.kind for fault in scenario.faults] == ["pause"]
    assert scenario.subject.instances == 3


def test_a_base_is_the_app_of_a_scenario_or_of_a_test_without_one(tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text(
        '[subject]\ncommand = ["my-app"]\n[load]\ntopic = "a"\n[audit]\noutput = "b"\n'
    )
    with_scenario = composed(Tables(), scenario="kill-commit", base="app.toml", folders=(tmp_path,))
    assert with_scenario.subject.command == ["my-app"]
    assert with_scenario.faults[0].kind == "kill"
    alone = composed(Tables(), base="app.toml", folders=(tmp_path,))
    assert (alone.name, alone.subject.command, alone.load.topic) == ("test-x", ["my-app"], "a")


def test_a_drawn_schedule_gets_the_time_that_it_needs() -> None:
    schedule = Schedule(
        faults=({"kind": "kill", "at": "2s", "down": "9s", "target": 0},), load={"rate": 9.0}
    )
    tables = Tables(subject=APP, load={"keys": 4}).with_schedule(schedule, instances=2)
    scenario = composed(tables)
    assert scenario.timing.seconds("faults") >= 12
    assert (scenario.load.rate, scenario.load.keys) == (9.0, 4)


def test_tables_of_a_call_are_over_those_of_fixtures() -> None:
    fixtures = Tables(load={"rate": 1, "keys": 2}, faults=[{"kind": "kill"}])
    both = Tables(load={"rate": 5}).over(fixtures)
    assert both.load == {"rate": 5, "keys": 2}
    assert both.faults == [{"kind": "kill"}]
    assert Tables(faults=[]).over(fixtures).faults == []


def test_a_wrong_key_says_where_it_was_said() -> None:
    with pytest.raises(UsageError, match=r"eos_subject.*load.rat is not a key.*'rate'"):
        composed(Tables(subject=APP, load={"rat": 1}))
