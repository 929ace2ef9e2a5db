"""`eoscheck certify --broker` from the outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eoscheck.cli.certify import command
from eoscheck.cluster import Cluster
from eoscheck.errors import UsageError


def certify(*words: str) -> Any:
    return CliRunner().invoke(command, list(words), standalone_mode=False)


def test_one_json_object_with_the_evidence(cluster: Cluster) -> None:
    broker = cluster.direct_servers
    options = ("--broker", broker, "--write", "--promise", "stable-offsets")
    done = certify(*options, "--format", "json")
    assert done.return_value == 0, done.output
    shown = json.loads(done.stdout)
    (promise,) = shown["promises"]
    assert (promise["name"], promise["verdict"]) == ("stable-offsets", "kept")
    assert any("-> UNSTABLE_OFFSET_COMMIT" in each["seen"] for each in promise["observations"])
    assert any("require_stable) -> UNSTABLE" in line for line in promise["exchanges"])
    assert shown["exit_code"] == 0
    assert shown["repeat"] == f"eoscheck certify {' '.join(options)} --format json"


def test_a_table_for_people(cluster: Cluster) -> None:
    options = ("--broker", cluster.direct_servers, "--write", "--promise", "idempotence")
    done = certify(*options)
    assert done.return_value == 0, done.output
    assert "kept  Repeated sends are suppressed" in done.stdout
    assert "1 kept" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--broker", "127.0.0.1:1"], "allow it with --write"),
        (["--broker", "127.0.0.1", "--write"], "is not of the form host:port"),
        (["--broker", "embedded", "--promise", "fences"], "did you mean 'fencing'?"),
        (["--broker", "127.0.0.1:1", "--kafka-version", "3.9.2"], "is for --broker embedded"),
        (["--broker", "embedded", "--timeout", "5"], "--timeout: '5' is not a duration"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_fix(words: list[str], message: str) -> None:
    error = certify(*words).exception
    assert isinstance(error, UsageError)
    assert message in str(error)
    assert "\n" not in str(error)


def test_nothing_is_asked_of_a_broker_that_may_not_be_written_to(tmp_path: Path) -> None:
    properties = tmp_path / "client.properties"
    properties.write_text("security.protocol=PLAINTEXT\n")
    error = certify("--broker", "10.255.255.1:9092", "--command-config", str(properties)).exception
    assert "topics, groups and transactional ids named eoscheck-exam-..." in str(error)
