"""One cluster for all workers: who starts it, who ends it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import psutil
import pytest

from eoscheck.cluster.keeper import KeptCluster, Owner, Wanted
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError
from eoscheck.testing import shared
from eoscheck.testing.shared import STATE_FILE, Share, end_all, join


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """Keepers that were asked for; this process passes for each of them."""
    found: list[Wanted] = []

    def start(wanted: Wanted, *, progress: object) -> KeptCluster:
        found.append(wanted)
        kept = KeptCluster(
            pid=os.getpid(),
            created=psutil.Process().create_time(),
            bootstrap_servers=f"127.0.0.1:{len(found)}",
            direct_servers="127.0.0.1:9",
            description="a test",
        )
        wanted.state_file.write_bytes(msgspec.json.encode(kept))
        return kept

    monkeypatch.setattr(shared, "start_kept", start)
    return found


def share(tmp_path: Path) -> Share:
    return Share(controller=os.getpid(), prefix=str(tmp_path / "eoscheck-pytest-1"))


def test_the_first_worker_starts_it_and_the_others_join(
    tmp_path: Path, started: list[Wanted]
) -> None:
    first = join(ClusterSpec(), share(tmp_path), progress=print)
    second = join(ClusterSpec(), share(tmp_path), progress=print)
    assert first.bootstrap_servers == second.bootstrap_servers == "127.0.0.1:1"
    assert len(started) == 1
    assert started[0].owner == Owner(pid=os.getpid(), created=psutil.Process().create_time())


def test_another_kind_of_cluster_is_another_one(tmp_path: Path, started: list[Wanted]) -> None:
    join(ClusterSpec(), share(tmp_path), progress=print)
    other = join(ClusterSpec(brokers=3), share(tmp_path), progress=print)
    assert other.bootstrap_servers == "127.0.0.1:2"
    assert started[0].state != started[1].state


def test_the_controller_ends_all_of_them_and_nobody_elses(
    tmp_path: Path, started: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Path] = []
    monkeypatch.setattr(shared, "stop_kept", stopped.append)
    join(ClusterSpec(), share(tmp_path), progress=print)
    join(ClusterSpec(brokers=3), share(tmp_path), progress=print)
    other = tmp_path / "eoscheck-pytest-2-x"
    other.mkdir()
    end_all(share(tmp_path).prefix)
    assert sorted(stopped) == sorted(wanted.state_file for wanted in started)
    assert list(tmp_path.iterdir()) == [other]
    assert stopped[0].name == STATE_FILE


def test_a_worker_without_a_controller_starts_nothing(
    tmp_path: Path, started: list[Wanted]
) -> None:
    gone = Share(controller=2**22 + 1, prefix=str(tmp_path / "p"))
    with pytest.raises(InfrastructureError, match="controller has ended"):
        join(ClusterSpec(), gone, progress=print)
    assert started == []
