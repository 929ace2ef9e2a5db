"""The run's process, as Locust's event loop sees it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import gevent
from gevent.queue import Queue

from eoscheck.run.remote import (
    Begin,
    FromRun,
    ToRun,
    decode_from_run,
    encode,
    read_frame,
    write_frame,
)

_END_S = 60.0
_GIVE_UP_S = 30.0


class RunProcess:
    """A run in a process of its own: Locust patches the standard library of this one. It is in a
    session of its own, so that a terminal's Ctrl-C comes to Locust alone, which says what is to
    become of the run; when this process is gone, it ends by itself."""

    def __init__(self, begin: Begin) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "eoscheck.cli.fed_run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._frames: Queue[bytes | None] = Queue()
        self._writer = gevent.spawn(self._write)
        self.tell(begin)

    def tell(self, message: ToRun) -> None:
        self.forward(encode(message))

    def forward(self, frame: bytes) -> None:
        """Waits for nobody."""
        self._frames.put(frame)

    def messages(self) -> Iterator[FromRun]:
        """Until it ends."""
        assert self._process.stdout is not None
        while (frame := read_frame(self._process.stdout)) is not None:
            yield decode_from_run(frame)

    def close(self) -> None:
        """It has said its last word: waits, bounded, until it is gone."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self.give_up()

    def give_up(self) -> None:
        """Closes its input: it puts away what it has started, and ends."""
        self._frames.put(None)
        try:
            self._process.wait(_GIVE_UP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its own children end with its supervisor
            self._process.wait()

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(BrokenPipeError):
            while (frame := self._frames.get()) is not None:
                write_frame(pipe, frame)
        with suppress(BrokenPipeError):
            pipe.close()
