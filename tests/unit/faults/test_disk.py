"""The disk family: the order in which things are done, and what its tables refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults import disk
from tests.unit.faults.family_bench import FakeSubject, planned, scene


class Snapshotting(FakeSubject):
    """Works on after a copy of its state was kept."""

    def snapshot(self, instance: int) -> tuple[Path, dict[str, object]]:
        self.log.append("snapshot")
        copy = self._state.parent / "copy"
        copy.mkdir()
        for path in self._state.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        (self._state / "checkpoint").write_text("new")
        (self._state / "data").write_text("new")
        return copy, {"kept_files": 2}


@pytest.fixture
def subject(tmp_path: Path) -> Snapshotting:
    state = tmp_path / "state"
    state.mkdir()
    (state / "checkpoint").write_text("old")
    (state / "data").write_text("old")
    return Snapshotting(state)


def content(subject: Snapshotting) -> dict[str, str]:
    return {path.name: path.read_text() for path in subject._state.iterdir()}


@pytest.mark.parametrize("stop", ["kill", "terminate"])
def test_a_directory_is_changed_between_the_stop_and_the_heal(
    subject: Snapshotting, stop: str
) -> None:
    table = disk.StateWipe(stop="kill" if stop == "kill" else "terminate")
    action = disk.action(planned(table), scene(subject))
    assert action.target == "instance 1"
    assert action.strike()["wiped_files"] == 2
    assert content(subject) == {}
    action.heal()
    assert subject.log == [stop, "change", "heal"]


def test_an_older_copy_is_kept_at_work_and_put_back_when_it_is_down(subject: Snapshotting) -> None:
    action = disk.action(planned(disk.StateOldCopy(age="10ms")), scene(subject))
    evidence = action.strike()
    assert subject.log == ["snapshot", "kill", "change"]
    assert content(subject) == {"checkpoint": "old", "data": "old"}
    assert (evidence["kept_files"], evidence["older_files"]) == (2, 2)


def test_a_stale_checkpoint_comes_beside_newer_data(subject: Snapshotting) -> None:
    disk.action(planned(disk.StateStaleCheckpoint(age="10ms")), scene(subject)).strike()
    assert content(subject) == {"checkpoint": "old", "data": "new"}


def test_a_stale_checkpoint_may_be_all_that_is_left(subject: Snapshotting) -> None:
    table = disk.StateStaleCheckpoint(age="10ms", others="wiped")
    disk.action(planned(table), scene(subject)).strike()
    assert content(subject) == {"checkpoint": "old"}


def test_a_truncation_that_finds_no_file_is_no_fault(subject: Snapshotting) -> None:
    action = disk.action(planned(disk.StateTruncated()), scene(subject))
    with pytest.raises(InfrastructureError, match=r"matches '\*\.sst'"):
        action.strike()
    action.heal()
    assert subject.log[-1] == "heal"


def test_a_disk_is_full_while_the_instance_works(subject: Snapshotting) -> None:
    action = disk.action(planned(disk.StateFull()), scene(subject))
    assert action.strike() == {"free_bytes": 0}
    assert action.heal() == {"free_bytes_until_then": 0}
    assert subject.log == ["fill", "empty", "heal"]


def test_a_read_only_disk_is_found_at_the_restart(subject: Snapshotting) -> None:
    action = disk.action(planned(disk.StateReadOnly()), scene(subject))
    assert action.strike() == {"signal": "SIGKILL", "write_refused": "EROFS"}
    action.heal()
    assert subject.log == ["kill", "change", "read-only", "start", "writable", "heal"]


def test_every_instance_gets_the_largest_volume_that_a_fault_asks_for() -> None:
    tables = [disk.StateWipe(), disk.StateFull(size="32MB"), disk.StateReadOnly(size="48MB")]
    assert disk.volume_bytes(tables) == 48 * disk.MB
    assert disk.volume_bytes(tables[:1]) is None


@pytest.mark.parametrize("size", ["64", "0MB", "-1MB", "64GB", "1.5MB", ""])
def test_a_size_is_in_megabytes(size: str) -> None:
    with pytest.raises(UsageError, match=r"faults\.size is a size in MB"):
        disk.StateFull(size=size)


@pytest.mark.parametrize("files", ["", "/etc/*", "../other/*"])
def test_a_pattern_stays_inside_the_state_directory(files: str) -> None:
    with pytest.raises(UsageError, match=r"faults\.files is a pattern of names"):
        disk.StateTruncated(files=files)


@pytest.mark.parametrize("age", ["0s", "4s", "1m"])
def test_a_copy_gets_older_while_the_fault_lasts(age: str) -> None:
    with pytest.raises(UsageError, match=r"faults\.age must be above 0 and below faults\.down"):
        disk.StateOldCopy(age=age, down="4s")
