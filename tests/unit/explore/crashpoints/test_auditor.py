"""Audits while cells run: whom they clear, and what ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eoscheck.audit.findings import AuditReport
from eoscheck.audit.spec import AuditSpec
from eoscheck.errors import InfrastructureError
from eoscheck.explore.crashpoints import auditor
from eoscheck.explore.crashpoints.auditor import Auditor
from tests.unit.explore.crashpoints.matrices import report


class Machine:
    """Cells that are over one after the other, and an auditor that looks at each moment's number.
    It ends when there is nothing more to say."""

    def __init__(self, says: Iterator[AuditReport | Exception]) -> None:
        self.over = 1
        self.stop, self.ended = threading.Event(), threading.Event()
        self.auditor = Auditor(
            AuditSpec(output="receipts"),
            client_config={},
            folder=Path(),
            over=lambda: self.over,
            stop=self.stop,
            clock=lambda: 0.0,
        )
        self._says = says

    def audit(self, spec: AuditSpec, *, liveness_s: float, **_: Any) -> AuditReport:
        assert liveness_s == float("inf"), "a cell under way is no stalled subject"
        assert spec.max_findings < 100
        said = next(self._says)
        self.over += 1
        if isinstance(said, Exception):
            raise said
        return said


def audited(monkeypatch: pytest.MonkeyPatch, *says: AuditReport | Exception) -> Machine:
    def all_said() -> Iterator[AuditReport | Exception]:
        yield from says[:-1]
        machine.ended.set()
        yield says[-1]

    machine = Machine(all_said())
    monkeypatch.setattr(auditor, "run_audit", machine.audit)
    monkeypatch.setattr(auditor, "read_history", lambda _folder: [])
    machine.auditor.run(machine.ended)
    return machine


def test_each_audit_that_finds_nothing_clears_what_was_over_when_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = audited(monkeypatch, report(), report(), report())
    assert (machine.auditor.clean_to, machine.auditor.audits) == (3, 3)
    assert machine.auditor.red is None
    assert not machine.stop.is_set()


def test_the_first_that_finds_something_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(LOST=1)
    machine = audited(monkeypatch, report(), found)
    assert machine.auditor.clean_to == 1
    assert machine.auditor.red == (2, found)
    assert machine.stop.is_set()


def test_one_that_cannot_be_made_clears_nobody_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = audited(monkeypatch, report(), InfrastructureError("no answer"))
    assert machine.auditor.clean_to == 1
    assert machine.auditor.red is None
    assert not machine.stop.is_set()
