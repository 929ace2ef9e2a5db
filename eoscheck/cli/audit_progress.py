"""Progress of an audit on standard error: nothing for a quick one."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.text import Text

from eoscheck.closing import Closing

_QUIET_S = 2.0
_LINE_EVERY_S = 5.0


class AuditProgress(Closing):
    """Called with (step, done, total). A bar on a terminal, else a line every five seconds; both
    only once the audit has taken two seconds."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._line_at = self._began + _QUIET_S
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, step: str, done: int, total: int) -> None:
        now = self._clock()
        if now - self._began < _QUIET_S:
            return
        if self._console.is_terminal:
            self._bar(step, done, total)
        elif now >= self._line_at:
            self._line_at = now + _LINE_EVERY_S
            self._console.print(Text(f"{step}: {done:,} of {total:,}"), soft_wrap=True)

    def _bar(self, step: str, done: int, total: int) -> None:
        if self._bars is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bars = Progress(*columns, Remaining(), console=self._console, transient=True)
            self._bars.start()
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=total)
        self._bars.update(self._tasks[step], completed=done)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
