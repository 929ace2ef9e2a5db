"""A subject, a group and transactions of a test's making, for the families that need no process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eoscheck.cluster.transactions import OpenTransaction
from eoscheck.subject import SubjectSpec
from tests.unit.faults.tables import OneApp


class FakeVolume:
    def __init__(self, log: list[str]) -> None:
        self._log = log

    def fill(self) -> dict[str, Any]:
        self._log.append("fill")
        return {"free_bytes": 0}

    def empty(self) -> dict[str, Any]:
        self._log.append("empty")
        return {"free_bytes_until_then": 0}

    def set_read_only(self, read_only: bool) -> dict[str, Any]:
        self._log.append("read-only" if read_only else "writable")
        return {"write_refused": "EROFS"} if read_only else {}


class FakeSubject(OneApp):
    """Notes what is done to it, in `log`."""

    def __init__(self, state: Path, *, group: str | None = "group") -> None:
        self.log: list[str] = []
        self.spec = SubjectSpec(command=["app"], instances=2, group=group)
        self._state = state
        self._volume = FakeVolume(self.log)

    def kill(self, instance: int) -> dict[str, Any]:
        self.log.append("kill")
        return {"signal": "SIGKILL"}

    def terminate(self, instance: int) -> dict[str, Any]:
        self.log.append("terminate")
        return {"signal": "SIGTERM"}

    def pause(self, instance: int) -> dict[str, Any]:
        self.log.append("pause")
        return {"signal": "SIGSTOP"}

    def start(self, instance: int) -> bool:
        self.log.append("start")
        return True

    def heal(self, instance: int) -> None:
        self.log.append("heal")

    def while_down(self, instance: int, do: Callable[[Path], Any]) -> Any:
        self.log.append("change")
        return do(self._state)

    def volume(self, instance: int) -> FakeVolume:
        return self._volume


class FakeCluster:
    """The view and the transactions in one. `members` and `open` are what it shows now."""

    def __init__(self) -> None:
        self.members: list[str] = []
        self.open: list[str] = []

    def group_members(self, group: str) -> list[Any]:
        return [SimpleNamespace(member_id=member) for member in self.members]

    def ongoing(self, topics: object) -> list[OpenTransaction]:
        return [
            OpenTransaction(
                transactional_id=name,
                producer_id=1,
                epoch=0,
                started_ms=1,
                timeout_ms=1000,
                partitions=[],
            )
            for name in self.open
        ]


def scene(subject: FakeSubject, cluster: FakeCluster | None = None) -> Any:
    return SimpleNamespace(subject=subject, view=cluster, transactions=cluster)


def planned(table: Any, *, instance: int = 1) -> Any:
    return SimpleNamespace(table=table, instance=instance, down_s=1.0, seed=1)
