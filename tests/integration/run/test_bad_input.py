"""Bad input at the front door: one clear line, exit code 2, nothing started or left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eoscheck.cluster import Cluster

EOSCHECK = str(Path(sys.executable).parent / "eoscheck")


def eoscheck(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EOSCHECK, *words], capture_output=True, text=True, timeout=90, cwd=cwd, check=False
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "kill-exactly-onse"], "did you mean 'kill-exactly-once'?"),
        (["run", "kill-exactly-once", "--set", "load.rte=5"], "did you mean 'rate'?"),
        (["run", "kill-exactly-once", "--set", "faults.0.count=99"], "timing.faults"),
        (["demo", "--duration", "soon"], "--duration"),
        (["demo", "--duraton", "5s"], "--duration"),
        (["demo", "--duration", "1s"], "timing.faults"),
        (["rnu"], "did you mean 'run'?"),
        (["report", "nowhere"], "nowhere"),
    ],
)
def test_one_line_and_exit_code_2(words: list[str], says: str, tmp_path: Path) -> None:
    done = eoscheck(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def external(cluster: Cluster) -> list[str]:
    return [
        "--set",
        "cluster.provider=external",
        "--set",
        f"cluster.bootstrap_server={cluster.direct_servers}",
    ]


def test_on_a_cluster_that_is_not_ours_topics_are_asked_for_and_not_made(
    cluster: Cluster, tmp_path: Path
) -> None:
    done = eoscheck("run", "kill-exactly-once", *external(cluster), cwd=tmp_path)
    assert done.returncode == 2
    assert "no such topic" in done.stderr


def test_a_subject_that_exits_at_once_shows_its_last_words(tmp_path: Path) -> None:
    done = eoscheck(
        "run", "kill-exactly-once", "--", "sh", "-c", "echo no licence for {instance} >&2; exit 7",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "exited by itself with code 7" in done.stderr
    assert "no licence for " in done.stderr
    assert "Traceback" not in done.stderr
