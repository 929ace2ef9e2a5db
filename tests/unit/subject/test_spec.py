"""A subject's table: placeholders filled in, mistakes refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.subject.spec import SubjectSpec, invocation


def filled(spec: SubjectSpec, *, instance: int = 1) -> Any:
    return invocation(
        spec,
        instance=instance,
        bootstrap_server="127.0.0.1:9092",
        state_dir=Path("/runs/r1/state"),
        run_id="r1",
    )


def test_every_placeholder_is_filled_in_arguments_and_environment() -> None:
    spec = SubjectSpec(
        command=["{python}", "-m", "app", "--server={bootstrap_server}", "{instance}"],
        env={"STATE": "{state_dir}/db", "ID": "app-{run_id}-{instance}"},
    )
    made = filled(spec)
    assert made.command == [sys.executable, "-m", "app", "--server=127.0.0.1:9092", "1"]
    assert made.env == {"STATE": "/runs/r1/state/db", "ID": "app-r1-1"}
    in_image = filled(SubjectSpec(image="app:1", command=["{python}", "-m", "app"]))
    assert in_image.command == ["python3", "-m", "app"]


def test_json_and_shell_braces_in_a_command_stay_untouched() -> None:
    words = ["sh", "-c", 'echo ${HOME} {{instance}} {"a": {"b": 2}}']
    assert filled(SubjectSpec(command=words)).command[2] == (
        'echo ${HOME} {instance} {"a": {"b": 2}}'
    )


def test_the_client_id_of_an_instance_is_told_by_its_template() -> None:
    spec = SubjectSpec(command=["app"], client_id="pay-{run_id}-{instance}")
    assert spec.client_id_of(3, run_id="r") == "pay-r-3"
    assert SubjectSpec(command=["app"]).client_id_of(3, run_id="r") is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"command": []}, r"subject\.command is empty"),
        ({"instances": 0}, r"subject\.instances must be at least 1"),
        ({"session_timeout": "0s"}, r"subject\.session_timeout must be above 0"),
        ({"session_timeout": "quick"}, r"subject\.session_timeout: 'quick' is not a duration"),
        ({"stop_timeout": "5"}, r"subject\.stop_timeout: '5' is not a duration"),
        ({"ready_timeout": "-1s"}, r"subject\.ready_timeout: '-1s' is negative"),
        ({"command": ["{statedir}"]}, r"subject\.command: .*did you mean 'state_dir'"),
        ({"env": {"A": "{server}"}}, r"subject\.env\.A: unknown placeholder {server}"),
        ({"client_id": "{state_dir}"}, r"subject\.client_id: unknown placeholder"),
    ],
)
def test_a_subject_that_cannot_be_is_refused_with_the_fix(wrong: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SubjectSpec(**({"command": ["app"]} | wrong))


def test_an_image_needs_no_command() -> None:
    spec = SubjectSpec(image="app:1", args=["--instance", "{instance}"])
    made = invocation(spec, instance=1, bootstrap_server="b:1", state_dir=Path("/s"), run_id="r")
    assert (made.image, made.command) == ("app:1", ["--instance", "1"])


def test_args_are_added_to_the_command_and_filled_in() -> None:
    spec = SubjectSpec(command=["app", "--first"], args=["--name", "n-{instance}"])
    assert filled(spec, instance=1).command == ["app", "--first", "--name", "n-1"]
