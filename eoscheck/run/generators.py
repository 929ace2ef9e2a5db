"""What load generators in other processes have said of their records."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from eoscheck.errors import InfrastructureError
from eoscheck.history import BlockWritten, Recorder, SendsUnconfirmed
from eoscheck.history.events import Identity
from eoscheck.load.engine import BLOCK, Report


@dataclass
class _Generator:
    first: int
    sent: int = 0
    open: set[Identity] = field(default_factory=set)
    ended: bool = False


class Generators:
    """Writes their reports into the history, and keeps count: every number of a block given out
    once, and one outcome for each record. Belongs to one thread."""

    def __init__(self, recorder: Recorder, *, topic: str) -> None:
        self._recorder = recorder
        self._topic = topic
        self._known: dict[int, _Generator] = {}

    def reported(self, number: int, report: Report) -> None:
        """Raises InfrastructureError where a report is missing, or names a record that was never
        sent: then nobody can say what was."""
        generator = self._generator(number)
        if report.first != generator.first + generator.sent:
            raise InfrastructureError(
                f"load generator {number} reports from number {report.first} on, but "
                f"{generator.first + generator.sent} was next: a report of it is missing"
            )
        generator.sent += len(report.sent)
        generator.open.update(report.sent)
        if not generator.ended:
            self._settle(number, generator, report)

    def _settle(self, number: int, generator: _Generator, report: Report) -> None:
        for event in report.events:
            before = len(generator.open)
            generator.open.difference_update(event.identities)
            if before - len(generator.open) != len(event.identities):
                raise InfrastructureError(
                    f"load generator {number} tells twice what became of one record, or of one "
                    "that it never sent: does the id expression give each record another identity?"
                )
            self._recorder.record(msgspec.structs.replace(event, t=self._recorder.now()))

    def ended(self, number: int, *, lost: bool = False) -> None:
        generator = self._generator(number)
        if generator.ended:
            return
        generator.ended = True
        if generator.open:
            why = "its load generator was lost" if lost else "its load generator never told"
            self._recorder.record(
                SendsUnconfirmed(
                    t=self._recorder.now(),
                    topic=self._topic,
                    outcome="indeterminate",
                    identities=list(generator.open),
                    reason=why,
                )
            )
        self._recorder.record(
            BlockWritten(
                t=self._recorder.now(),
                generator=number,
                first=generator.first,
                count=generator.sent,
                lost=lost,
            )
        )

    def end_all(self) -> None:
        """Those that have said nothing of their end are lost."""
        for number in self._known:
            self.ended(number, lost=True)

    def _generator(self, number: int) -> _Generator:
        return self._known.setdefault(number, _Generator(number * BLOCK))
