"""Writes a run's events as they happen, and reads them back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from eoscheck.closing import Closing
from eoscheck.errors import UsageError
from eoscheck.history.events import Event

HISTORY_FILE = "history.ndjson"

Line = TypeVar("Line")


class Recorder(Closing):
    """Appends events to `<folder>/history.ndjson`, and hands each to the listeners.

    Safe to use from several threads. `now()` is the run's clock: seconds since it was made.
    Each event reaches the file before a listener sees it, so a crash of the harness loses nothing
    that was shown.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / HISTORY_FILE
        self._clock = clock
        self._origin = clock()
        self._encoder = msgspec.json.Encoder()
        self._file = self.path.open("wb", buffering=0)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []

    def now(self) -> float:
        return self._clock() - self._origin

    def since_start(self, monotonic: float) -> float:
        """A reading of the recorder's own clock as a time of this run."""
        return monotonic - self._origin

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """`listener` is called for each later event, in order, in the thread that recorded it."""
        self._listeners.append(listener)

    def record(self, event: Event) -> None:
        line = self._encoder.encode(event) + b"\n"
        with self._lock:
            self._file.write(line)
            for listener in self._listeners:
                listener(event)

    def close(self) -> None:
        self._file.close()


def read_history(folder: Path) -> list[Event]:
    """All events of a finished run, in order.

    Raises UsageError where the folder holds no history, or a line of it is damaged (the last line
    may be cut short by a killed harness: it is left out).
    """
    path = folder / HISTORY_FILE
    if not path.is_file():
        raise UsageError(f"{folder} is not a run's folder: it has no {HISTORY_FILE}")
    return read_lines(path, msgspec.json.Decoder(Event), fault="is not an event")


def read_lines(path: Path, decoder: msgspec.json.Decoder[Line], *, fault: str) -> list[Line]:
    """Each line of an NDJSON file, but for one that was begun and not ended. `fault` says
    in the UsageError what is wrong with a damaged one."""
    found: list[Line] = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise UsageError(f"{path} line {number} {fault}: {error}") from error
    return found
