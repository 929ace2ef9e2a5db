"""A scenario of several apps: what each is told, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.errors import UsageError
from eoscheck.run.needs import ClusterNeeds, cluster_needs
from eoscheck.run.runner import plan_faults
from eoscheck.run.scenario import Scenario, load_scenario
from eoscheck.run.trace import topic_roles

TWO = """
name = "mine"
title = "Mine"
[roles.settle]
command = ["settle", "--broker", "{bootstrap_server}"]
instances = 2
output = "between-{run_id}"
[roles.bill]
command = ["bill"]
[load]
topic = "in-{run_id}"
[[faults]]
kind = "kill"
role = "bill"
[audit]
output = "out-{run_id}"
[guarantees.at-least-once.roles]
bill = ["--without-transactions"]
"""


def load(folder: Path, text: str = TWO, **more: object) -> Scenario:
    path = folder / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path, run_id="r", **more)  # type: ignore[arg-type]


def test_the_apps_stand_one_after_the_other_between_load_and_audit(tmp_path: Path) -> None:
    settle, bill = load(tmp_path).roles
    assert (settle.name, settle.input, settle.output) == ("settle", "in-r", "between-r")
    assert (bill.name, bill.input, bill.output) == ("bill", "between-r", "out-r")
    assert bill.instances == range(2, 3)


def test_a_topic_between_two_of_them_is_an_output_and_an_input(tmp_path: Path) -> None:
    topics = topic_roles(load(tmp_path))
    assert topics.inputs == {"in-r", "between-r"}
    assert topics.outputs == {"between-r", "out-r"}


def test_each_instance_and_each_spare_has_its_own_links(tmp_path: Path) -> None:
    text = TWO.replace('kind = "kill"\nrole = "bill"', 'kind = "scale-out"') + "[[faults]]\n"
    scenario = load(tmp_path, text + 'kind = "latency"\nrole = "settle"\n')
    assert cluster_needs(scenario) == ClusterNeeds(slots=5, network=True)


def test_a_guarantee_tells_each_app_its_own(tmp_path: Path) -> None:
    settle, bill = load(tmp_path, guarantee="at-least-once").roles
    assert settle.spec.args == []
    assert bill.spec.args == ["--without-transactions"]


def test_faults_are_planned_for_the_role_that_they_name(tmp_path: Path) -> None:
    (fault,) = plan_faults(load(tmp_path), seed=1)
    assert fault.instance == 2
    wrong = load(tmp_path, TWO.replace('role = "bill"', 'role = "bil"'))
    with pytest.raises(UsageError, match=r"no role 'bil' \(did you mean 'bill'\?\)"):
        plan_faults(wrong, seed=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[load]", '[subject]\ncommand = ["x"]\n[load]', "either [subject], one app, or [roles."),
        ("instances = 2", "instances = 0", "roles.settle.instances must be at least 1"),
        ("instances = 2", "instances = 'two'", "roles.settle: instances: Expected `int`"),
        ("instances = 2", "intances = 2", "roles.settle.intances is not a key of a scenario"),
        ('output = "between-{run_id}"', "", "roles.settle.output is missing"),
        ("[roles.bill]", '[roles."to bill"]', "a name is of letters"),
        ("roles]\nbill", "roles]\nbil", "no role 'bil' (did you mean 'bill'?)"),
        (".roles]\nbill", "]\nargs", "of several apps, say which: roles"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TWO
    with pytest.raises(UsageError) as refused:
        load(tmp_path, TWO.replace(old, new))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_needs_one_app_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one app, .* mine has the roles settle, bill"):
        _ = load(tmp_path).subject
    with pytest.raises(UsageError, match=r"--set 'roles\.NAME\.command"):
        load(tmp_path, command=["other"])
