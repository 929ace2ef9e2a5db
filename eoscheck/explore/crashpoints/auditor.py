"""Audits again and again while cells run: each cell is judged by what it added."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from eoscheck.audit import run_audit
from eoscheck.audit.findings import AuditReport
from eoscheck.audit.spec import AuditSpec
from eoscheck.errors import EoscheckError
from eoscheck.history import read_history

_FINDINGS = 10
_SHARE = 2.0
"""An audit's own time is waited after it: the subject needs the machine too."""
_LOOK_S = 0.1


class Auditor:
    """`clean_to`: so many of the block's cells were over when an audit began that found nothing.
    `red`: what the first one found that found something, and how many cells were over then; it
    sets `stop`, for what comes after an anomaly is hard to tell from it."""

    def __init__(
        self,
        spec: AuditSpec,
        *,
        client_config: Mapping[str, str],
        folder: Path,
        over: Callable[[], int],
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clean_to = 0
        self.red: tuple[int, AuditReport] | None = None
        self.audits = 0
        self._spec = msgspec.structs.replace(spec, max_findings=_FINDINGS)
        self._client_config = client_config
        self._folder = folder
        self._over = over
        self._stop = stop
        self._clock = clock

    def run(self, ended: threading.Event) -> None:
        """Until `ended`, or a finding."""
        seen = 0
        while not ended.is_set() and self.red is None:
            if self._over() <= seen:
                ended.wait(_LOOK_S)
                continue
            seen = self._over()
            began = self._clock()
            with suppress(EoscheckError):  # it clears nobody: the next one does, or the last
                self.look(seen)
            ended.wait((self._clock() - began) * _SHARE)

    def look(self, over: int) -> None:
        """One audit of all that there is. The subject is at work meanwhile: what an audit cannot
        judge for that reason, the next one can, and the last one has to."""
        self.audits += 1
        report = run_audit(
            self._spec,
            client_config=self._client_config,
            history=read_history(self._folder),
            liveness_s=float("inf"),  # a cell that brings the subject to a stop says so itself
        )
        if any(report.anomalies.values()):
            self.red = (over, report)
            self._stop.set()
        else:
            self.clean_to = over
