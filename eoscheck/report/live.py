"""What a run looks like while it goes on: rates, lag, faults, instances."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from eoscheck.history.events import (
    Event,
    FaultHealed,
    FaultInjected,
    FaultMissed,
    GroupSampled,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
    PhaseStarted,
    RunFinished,
    SendsAcknowledged,
)
from eoscheck.measure.timeline import held_back
from eoscheck.report import numbers
from eoscheck.report.words import struck_by

_WINDOW_S = 2.0
_REFRESH_S = 0.2
_PHASES = {
    "start": "starting",
    "steady": "steady",
    "faults": "under fire",
    "drain": "draining",
    "audit": "auditing",
}


class _Rate:
    """Records a second over the last two seconds of the run's clock."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, t: float, records: int) -> None:
        self._recent.append((t, records))
        self._sum += records

    def at(self, t: float) -> float:
        while self._recent and self._recent[0][0] < t - _WINDOW_S:
            self._sum -= self._recent.popleft()[1]
        return self._sum / min(_WINDOW_S, max(t, _REFRESH_S))


class Progress:
    """The state of a run so far, as its events tell it."""

    def __init__(self) -> None:
        self.t = 0.0
        self.phase = "starting"
        self.lag: int | None = None
        self.held_back: int | None = None
        self.injected = 0
        self.missed = 0
        self.last_fault = ""
        self.instances: dict[int, str] = {}
        self._sent = _Rate()
        self._committed = _Rate()

    def take(self, event: Event) -> None:
        self.t = max(self.t, event.t)
        match event:
            case PhaseStarted(phase=phase):
                self.phase = _PHASES[phase]
            case RunFinished():
                self.phase = "finished"
            case SendsAcknowledged():
                self._sent.add(event.t, len(event.identities))
            case OutputsObserved():
                self._committed.add(event.t, len(event.identities))
            case GroupSampled(lag=lag):
                self.lag = lag
            case LogSampled():
                self.held_back = held_back(event)
            case _:
                self._take_fault_or_instance(event)

    def _take_fault_or_instance(self, event: Event) -> None:
        match event:
            case FaultInjected(kind=kind, instance=instance):
                self.injected += 1
                struck = struck_by(kind, instance=instance, target=event.target)
                self.last_fault = f"{struck} at {numbers.moment(event.t)}"
                if kind == "pause" and instance is not None:
                    self.instances[instance] = "paused"
            case FaultHealed(kind="pause", instance=int(instance)):
                self.instances[instance] = "up"
            case FaultMissed():
                self.missed += 1
            case InstanceStarted(instance=instance):
                self.instances[instance] = "starting"
            case InstanceReady(instance=instance):
                self.instances[instance] = "up"
            case InstanceExited(instance=instance):
                stopped = event.expected and self.phase == _PHASES["drain"]
                self.instances[instance] = "stopped" if stopped else "down"

    def line(self) -> str:
        """All of it in one line, without colour."""
        if self.phase in (_PHASES["audit"], "finished"):
            return f"{numbers.moment(self.t):>7} {self.phase}"
        parts = [
            f"{numbers.moment(self.t):>7} {self.phase}",
            f"sent {numbers.rate(self._sent.at(self.t))}",
            f"committed {numbers.rate(self._committed.at(self.t))}",
        ]
        if self.lag is not None:
            parts.append(f"lag {self.lag:,}")
        if self.held_back:
            parts.append(f"held back {self.held_back:,}")
        if self.injected:
            parts.append(f"{numbers.plural(self.injected, 'fault')}, last: {self.last_fault}")
        if self.missed:
            parts.append(f"{self.missed:,} missed")
        # Whether a restarted instance works yet is not always told: that it runs, is.
        settled = {"up", "stopped"} | ({"starting"} if self.injected else set())
        away = [
            f"{n} {state}" for n, state in sorted(self.instances.items()) if state not in settled
        ]
        if away:
            parts.append("instance " + ", ".join(away))
        return " · ".join(parts)


class LiveView:
    """Shows a run's events: one line that changes on a terminal, else a line every `every_s` of the
    run's clock, and one for each new phase. Give it to `Recorder.subscribe`; use it as a context
    manager, so that the terminal is left as it was."""

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
            self._print(f"  {progress.line()}")
        else:
            self._spinner.update(text=Text(f"{self._title} {progress.line()}"))

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
