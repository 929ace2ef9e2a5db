"""`eoscheck toxiproxy` says which server it is, in one line or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eoscheck.cli.toxiproxy import command
from eoscheck.cluster import machine
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network.binary import VARIABLE


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "server"
    path.write_text("#!/bin/sh\necho toxiproxy-server version 2.9.0\n")
    path.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_which_server_it_is(server: Path) -> None:
    done = CliRunner().invoke(command, catch_exceptions=False)
    assert done.output == f"Toxiproxy 2.9.0 from EOSCHECK_TOXIPROXY: {server}\n"
    done = CliRunner().invoke(command, ["--format", "json"], catch_exceptions=False)
    assert json.loads(done.output) == {
        "server": str(server),
        "version": "2.9.0",
        "source": "EOSCHECK_TOXIPROXY",
    }


def test_one_that_cannot_be_used_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/no/such/server")
    with pytest.raises(UsageError, match="is no Toxiproxy server"):
        CliRunner().invoke(command, catch_exceptions=False)
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="does not answer"):
        CliRunner().invoke(command, catch_exceptions=False)


def test_the_doctor_says_which_server_or_how_to_get_one(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    assert machine._toxiproxy(cache).detail == f"2.9.0 from EOSCHECK_TOXIPROXY: {server}"
    monkeypatch.setenv(VARIABLE, "/no/such/server")
    wrong = machine._toxiproxy(cache)
    assert (wrong.ok, wrong.detail) == (False, "EOSCHECK_TOXIPROXY is wrong")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine._toxiproxy(cache).fix == "eoscheck toxiproxy builds one, for network faults"
