"""Reads what a subject printed about its restores: a protocol of two log lines (docs/state.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from eoscheck.history.restores import RestoreEnded, RestoreEvent, RestoreStarted

_MARK = b"restore_"
_PAIR = re.compile(r'([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|\S*)')
_EVENTS = ("restore_start", "restore_end")


def restores_in(
    log: Path, *, instance: int, since_start: Callable[[float], float]
) -> Iterator[RestoreEvent]:
    """The restores that one process wrote to its log, in the order of its lines.

    `since_start` turns Unix seconds into the run's time. A line that says nothing of a restore, or
    not when, which store, partition or offset, is passed over: logs hold anything.
    """
    try:
        with log.open("rb") as lines:
            for line in lines:
                if _MARK in line:
                    event = parse_restore(
                        line.decode(errors="replace"), instance=instance, since_start=since_start
                    )
                    if event is not None:
                        yield event
    except FileNotFoundError:
        return


class RestoreLog:
    """Follows one process's log. What has been read is not read again."""

    def __init__(self, log: Path, *, instance: int, since_start: Callable[[float], float]) -> None:
        self.path = log
        self._instance = instance
        self._since_start = since_start
        self._read_to = 0
        self._begun = b""
        """A line whose end is not written yet."""

    def new(self) -> Iterator[RestoreEvent]:
        """The restores of the lines that have been printed since it was last asked, as
        `restores_in` gives them."""
        for line in self._new_lines():
            if _MARK in line:
                event = parse_restore(
                    line.decode(errors="replace"),
                    instance=self._instance,
                    since_start=self._since_start,
                )
                if event is not None:
                    yield event

    def _new_lines(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                new = file.read()
        except FileNotFoundError:
            return []
        self._read_to += len(new)
        *lines, self._begun = (self._begun + new).split(b"\n")
        return lines


class RestoresUnderWay:
    """Which of one process's restores have begun and not ended. What it has not ended, its end
    does: ask only while it runs."""

    def __init__(self, log: Path, *, instance: int) -> None:
        self.log = log
        self._restores = RestoreLog(log, instance=instance, since_start=float)
        self._under_way: set[tuple[str, int]] = set()

    def look(self) -> set[tuple[str, int]]:
        """Store and partition of each, by what is printed until now."""
        for event in self._restores.new():
            if isinstance(event, RestoreStarted):
                self._under_way.add((event.store, event.partition))
            else:
                self._under_way.discard((event.store, event.partition))
        return set(self._under_way)


def parse_restore(
    line: str, *, instance: int, since_start: Callable[[float], float]
) -> RestoreEvent | None:
    """One line: `<time> ... event=restore_end store=... partition=... end=...`, or the same as a
    JSON object with a `time` (ISO 8601, or Unix seconds)."""
    try:
        fields = _json(line) if line.lstrip().startswith("{") else _pairs(line)
        if fields.get("event") not in _EVENTS:
            return None
        at = since_start(_unix(fields["time"]))
        store = str(fields.get("changelog") or fields["store"])
        partition = int(fields["partition"] if "partition" in fields else fields["task"])
        end = int(fields["end"])
        if fields["event"] == "restore_start":
            return RestoreStarted(
                t=at,
                instance=instance,
                store=store,
                partition=partition,
                start=int(fields["start"]),
                end=end,
            )
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, OverflowError):
        return None
    return RestoreEnded(t=at, instance=instance, store=store, partition=partition, restored_to=end)


def _json(line: str) -> dict[str, Any]:
    found = msgspec.json.decode(line)
    return found if isinstance(found, dict) else {}


def _pairs(line: str) -> dict[str, Any]:
    """Key-value pairs, and as `time` the line's first word."""
    fields: dict[str, Any] = {}
    for name, value in _PAIR.findall(line):
        fields[name] = msgspec.json.decode(value) if value.startswith('"') else value
    words = line.split(maxsplit=1)
    return {"time": words[0] if words else "", **fields}


def _unix(time: Any) -> float:
    """Raises ValueError for a time without a zone: nobody can tell when that was."""
    if isinstance(time, int | float) and not isinstance(time, bool):
        return float(time)
    moment = datetime.fromisoformat(str(time))
    if moment.tzinfo is None:
        raise ValueError(f"{time} has no zone")
    return moment.timestamp()
