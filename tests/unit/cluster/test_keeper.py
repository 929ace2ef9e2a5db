"""A state file is believed only while its own keeper lives."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import psutil
import pytest

from eoscheck.cluster import keeper
from eoscheck.cluster.keeper import KeptCluster, kept_cluster, stop_kept


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "cluster.json"
    monkeypatch.setattr(keeper, "_state_file", lambda: file)
    return file


def kept(*, pid: int, created: float) -> KeptCluster:
    return KeptCluster(
        pid=pid,
        created=created,
        bootstrap_servers="127.0.0.1:1",
        direct_servers="127.0.0.1:2",
        description="a test",
    )


def test_the_state_of_a_living_keeper_is_believed(state: Path) -> None:
    written = kept(pid=os.getpid(), created=psutil.Process().create_time())
    state.write_bytes(msgspec.json.encode(written))
    assert kept_cluster() == written


def test_a_reused_process_id_is_not_taken_for_the_keeper(state: Path) -> None:
    state.write_bytes(msgspec.json.encode(kept(pid=os.getpid(), created=1.0)))
    assert stop_kept() is None, "else this test would have ended itself"
    assert not state.exists()


def test_a_damaged_or_missing_state_means_no_cluster(state: Path) -> None:
    assert kept_cluster() is None
    state.write_text("{")
    assert kept_cluster() is None
    assert not state.exists()
