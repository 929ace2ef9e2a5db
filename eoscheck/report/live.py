"""What a run looks like while it goes on: rates, lag, faults, recoveries, what was noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from eoscheck.history.events import Event
from eoscheck.report import numbers
from eoscheck.report.progress import PHASES, Progress

_REFRESH_S = 0.2
_LEVELS = "▁▂▃▄▅▆▇█"
_STYLES = {"running": "green", "up": "yellow", "paused": "yellow", "down": "bold red"}


class LiveView:
    """Shows a run's events: a small table that changes on a terminal, else a line every `every_s`
    of the run's clock, and one for each new phase. Give it to `Recorder.subscribe`; use it as a
    context manager, so that the terminal is left as it was."""

    def __init__(
        self, title: str = "", *, console: Console | None = None, every_s: float = 2.0
    ) -> None:
        self._title = title
        self._console = console or Console(stderr=True)
        self._every_s = every_s
        self._progress = Progress()
        self._shown_at = -every_s
        self._shown_phase = ""
        self._spinner = Spinner("dots", text=Text(title))
        self._live = (
            Live(self._spinner, console=self._console, transient=True, refresh_per_second=8)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        elif self._title:
            self._print(self._title)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        progress = self._progress
        progress.take(event)
        changed = progress.phase != self._shown_phase
        wait = _REFRESH_S if self._live is not None else self._every_s
        if not changed and progress.t - self._shown_at < wait:
            return
        self._shown_at, self._shown_phase = progress.t, progress.phase
        if self._live is None:
            self._print(f"  {plain_line(progress)}")
        else:
            self._spinner.update(text=_head(self._title, progress))
            self._live.update(Group(self._spinner, table_of(progress)))

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def plain_line(progress: Progress) -> str:
    """All of it in one line, without colour."""
    at = f"{numbers.moment(progress.t):>7} {progress.phase}"
    if progress.phase in (PHASES["audit"], "finished"):
        return at
    parts = [
        at,
        f"sent {numbers.rate(progress.sent.at(progress.t))}",
        f"committed {numbers.rate(progress.committed.at(progress.t))}",
        *_backlog(progress),
    ]
    last = progress.last_fault
    if last is not None:
        parts.append(f"{numbers.plural(len(progress.faults), 'fault')}, last: {last.name}")
        parts.append(progress.recovered())
    parts += progress.noticed()
    parts += _away(progress)
    return " · ".join(parts)


def table_of(progress: Progress) -> RenderableType:
    """The same on a terminal, with how the rates went before."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    if progress.phase in (PHASES["audit"], "finished"):
        return table
    for name, rate in (("committed", progress.committed), ("sent", progress.sent)):
        now = f"{numbers.rate(rate.at(progress.t)):>10}  "
        table.add_row(name, Text.assemble(now, (sparkline(rate.trail(progress.t)), "blue")))
    table.add_row("backlog", " · ".join(_backlog(progress)) or numbers.NONE)
    table.add_row("instances", _states(progress.instances))
    if progress.brokers:
        table.add_row("brokers", _states(progress.brokers))
    last = progress.last_fault
    if last is not None:
        table.add_row("faults", Text(f"{len(progress.faults)}, last: {last.name}"))
        table.add_row("", progress.recovered())
    if progress.noticed():
        table.add_row("noticed", Text(" · ".join(progress.noticed()), style="bold yellow"))
    return table


def sparkline(values: Sequence[int]) -> str:
    """One character each, from zero to the largest; a value above zero is never drawn as zero."""
    top = max(values, default=0)
    if not top:
        return ""
    steps = len(_LEVELS) - 1
    return "".join(_LEVELS[-(-value * steps // top)] for value in values)


def _head(title: str, progress: Progress) -> Text:
    return Text.assemble(
        (title, "bold"), f"  {progress.phase}  ", (numbers.moment(progress.t), "dim")
    )


def _backlog(progress: Progress) -> list[str]:
    parts = [] if progress.lag is None else [f"lag {progress.lag:,}"]
    return [*parts, f"LSO lag {progress.held_back:,}"] if progress.held_back else parts


def _away(progress: Progress) -> list[str]:
    """Who is not at work. Whether a restarted instance works yet is not always told: that it runs,
    is."""
    settled = {"running", "stopped"} | ({"up"} if progress.faults else set())
    parts = []
    for what, states in (("instance", progress.instances), ("broker", progress.brokers)):
        away = [f"{n} {state}" for n, state in sorted(states.items()) if state not in settled]
        if away:
            parts.append(f"{what} " + ", ".join(away))
    return parts


def _states(states: Mapping[int, str]) -> Text:
    line = Text()
    for number, state in sorted(states.items()):
        line.append(f"{number} ").append(f"{state}   ", style=_STYLES.get(state, "dim"))
    return line
