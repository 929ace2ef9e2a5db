"""A scenario is checked to the last key before anything starts."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from eoscheck.audit.findings import Verdict
from eoscheck.errors import UsageError
from eoscheck.run.scenario import find_scenario, json_schema, load_scenario, shipped_scenarios

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
SCHEMA = Path(__file__).parents[3] / "chaos" / "scenario.schema.json"

MINIMAL = """
name = "mine"
title = "Mine"
[topics."in-{run_id}"]
[subject]
command = ["my-app", "--broker", "{bootstrap_server}", "--json", '{"a": 1}']
[load]
topic = "in-{run_id}"
[[faults]]
kind = "kill"
count = 3
[audit]
output = "out-{run_id}"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_run_id_is_filled_in_everywhere(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, MINIMAL), run_id="r7")
    assert list(scenario.topics) == ["in-r7"]
    assert (scenario.load.topic, scenario.audit.output) == ("in-r7", "out-r7")


@pytest.mark.parametrize(
    ("typo", "place", "nearest"),
    [
        ("instances = 2", "subject.intances", "instances"),
        ('topic = "in-{run_id}"', "load.topc", "topic"),
        ("count = 3", "faults.0.cont", "count"),
        ('output = "out-{run_id}"', "audit.outptu", "output"),
    ],
)
def test_a_typo_names_the_key_and_the_nearest_right_one(
    tmp_path: Path, typo: str, place: str, nearest: str
) -> None:
    text = MINIMAL.replace('command = ["my-app"', 'instances = 2\ncommand = ["my-app"')
    wrong = place.rpartition(".")[2]
    text = text.replace(typo, typo.replace(nearest, wrong, 1))
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, text))
    message = str(caught.value)
    assert place in message
    assert f"did you mean {nearest!r}?" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("count = 3", 'count = "three"', "faults.0.count"),
        ('kind = "kill"', 'kind = "explode"', "faults.0.kind"),
        ('[load]\ntopic = "in-{run_id}"', "[load]\nrate = 5", "topic"),
        ('title = "Mine"', 'title = "Mine"\n[timing]\nsteady = "soon"', "timing.steady"),
        ('title = "Mine"', "title = ", "not TOML"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_place(
    tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, MINIMAL.replace(right, wrong)))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_set_nested_values_and_list_items(tmp_path: Path) -> None:
    scenario = load_scenario(
        write(tmp_path, MINIMAL),
        overrides=[
            "load.rate=50",
            "faults.0.count=7",
            "subject.env.MODE=fast",
            "expect.verdict=fail",
        ],
    )
    assert scenario.load.rate == 50
    assert scenario.faults[0].count == 7
    assert scenario.subject.env == {"MODE": "fast"}
    assert scenario.expect.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("load.rate", "key=value"),
        ("faults.9.count=1", "not an index"),
        ("name.first=x", "not a table"),
        ("load.rte=5", "did you mean 'rate'?"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        load_scenario(write(tmp_path, MINIMAL), overrides=[override])


def test_a_command_on_the_command_line_replaces_the_scenarios(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, MINIMAL), command=["other", "{instance}"])
    assert scenario.subject.command == ["other", "{instance}"]


def test_a_missing_scenario_names_the_nearest_shipped_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'kill-exactly-once'"):
        load_scenario("kill-exacty-once")


@pytest.mark.thorough
@pytest.mark.parametrize("path", shipped_scenarios(), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_valid_by_name_and_by_schema(path: Path) -> None:
    scenario = load_scenario(path.stem, run_id="r")
    assert scenario.name == path.stem
    VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8")))


def test_the_committed_schema_is_the_codes() -> None:
    """Fails after a change of the scenario's types: `make schema` writes it anew."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"kind": "kil"},
            r"faults\.0\.kind: no such fault 'kil' \(did you mean 'kill'",
        ),
        ({}, r"faults\.0\.kind is missing"),
        ({"kind": "pause", "wipe": 1}, r"faults\.0\.wipe is not a key"),
        ({"kind": "kill", "wipes": 1}, r"faults\.0\.wipes is not a key .*did you mean 'wipe'"),
    ],
)
def test_a_table_of_faults_has_the_keys_of_its_kind(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    written = "".join(f"{key} = {value!r}\n" for key, value in keys.items())
    source = find_scenario("kill-exactly-once").read_text()
    path = tmp_path / "s.toml"
    before, _, after = source.partition("[[faults]]")
    path.write_text(before + "[[faults]]\n" + written + "\n[audit]" + after.partition("[audit]")[2])
    with pytest.raises(UsageError, match=message):
        load_scenario(path)
