"""A state directory that is full or read-only for everybody, root too; and no mount left behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoscheck.errors import UsageError
from eoscheck.process import Supervisor
from eoscheck.process.volume import Volume, require_mounts

mounts = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting takes Linux and root"
)
MB = 1 << 20


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as started:
        yield started


def is_mount(folder: Path) -> bool:
    return f" {folder} " in Path("/proc/self/mountinfo").read_text()


@mounts
def test_a_full_volume_refuses_the_next_block_until_it_is_emptied(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with Volume(tmp_path / "state", size_bytes=2 * MB, supervisor=supervisor) as volume:
        (volume.folder / "before").write_bytes(bytes(4096))
        evidence = volume.fill()
        assert evidence["free_bytes"] == 0
        assert MB < evidence["filled_bytes"] < evidence["size_bytes"] == 2 * MB
        with pytest.raises(OSError, match="No space left") as refused:
            (volume.folder / "more").write_bytes(bytes(4096))
        assert refused.value.errno == errno.ENOSPC
        assert volume.empty() == {"free_bytes_until_then": 0}
        (volume.folder / "more").write_bytes(bytes(4096))
        assert (volume.folder / "before").exists()
        volume.empty()


@mounts
def test_a_read_only_volume_refuses_root_too(supervisor: Supervisor, tmp_path: Path) -> None:
    with Volume(tmp_path / "state", size_bytes=MB, supervisor=supervisor) as volume:
        assert volume.set_read_only(True) == {"write_refused": "Read-only file system"}
        with pytest.raises(OSError, match="Read-only"):
            (volume.folder / "file").touch()
        volume.set_read_only(False)
        (volume.folder / "file").touch()


@mounts
def test_a_volume_is_unmounted_once_and_its_exit_command_forgotten(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    volume = Volume(tmp_path / "state", size_bytes=MB, supervisor=supervisor)
    assert is_mount(volume.folder)
    volume.close()
    volume.close()
    assert not is_mount(volume.folder)


HARNESS = """
import sys, time
from pathlib import Path
from eoscheck.process import Supervisor
from eoscheck.process.volume import Volume
supervisor = Supervisor()
volume = Volume(Path(sys.argv[1]), size_bytes=1 << 20, supervisor=supervisor)
# A child that works there: it must be gone first.
supervisor.start(["sleep", "60"], output=volume.folder / "log", cwd=volume.folder)
print("mounted", flush=True)
time.sleep(60)
"""


@mounts
def test_a_mount_goes_away_when_the_harness_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(folder)], stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "mounted\n"
        assert is_mount(folder)
        harness.kill()
    deadline = time.monotonic() + 20
    while is_mount(folder):
        assert time.monotonic() < deadline, "waited 20 s for the mount to go away"
        time.sleep(0.02)


def test_a_machine_that_cannot_mount_is_told_what_would_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="run this as root, or in a namespace of your own"):
        require_mounts()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match="run this on Linux"):
        require_mounts()
