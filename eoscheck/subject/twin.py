"""A second process with an instance's identity: same command, same ids, at the same time."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from eoscheck.errors import InfrastructureError
from eoscheck.process import Child, Supervisor, tail
from eoscheck.subject.container import start_in_container
from eoscheck.subject.spec import Invocation

_KILL_AFTER_S = 2.0


class Twin:
    """Runs from its making until `end`; nobody starts it again. It is no instance: the history
    has it as the fault that it is, not as a start of the subject."""

    def __init__(
        self, invocation: Invocation, *, state_dir: Path, output: Path, supervisor: Supervisor
    ) -> None:
        self._state_dir = state_dir
        self._began = time.monotonic()
        self._child: Child = (
            supervisor.start(
                invocation.command, output=output, env={**os.environ, **invocation.env}
            )
            if invocation.image is None
            else start_in_container(
                invocation, state_dir=state_dir, output=output, supervisor=supervisor
            )
        )

    @property
    def pid(self) -> int:
        return self._child.pid

    def raise_if_ended(self) -> None:
        """Raises InfrastructureError, with the last that it said, where it ended by itself."""
        code = self._child.poll()
        if code is not None:
            said = " | ".join(tail(self._child.output)[-3:])
            raise InfrastructureError(
                f"the twin (pid {self.pid}) ended by itself with code {code} before it was seen "
                f"at work; its last output: {said or 'nothing'}"
            )

    def end(self) -> dict[str, Any]:
        """Ends it, by force where SIGTERM takes long, and removes its state; idempotent.
        Evidence: how long it ran, and whether it had ended by itself (many clients do, once they
        are fenced)."""
        by_itself = self._child.poll() is not None
        code = self._child.stop(timeout_s=_KILL_AFTER_S)
        shutil.rmtree(self._state_dir, ignore_errors=True)
        return {
            "twin_pid": self.pid,
            "twin_ran_s": round(time.monotonic() - self._began, 3),
            "twin_ended_by_itself": by_itself,
            "twin_exit_code": code,
        }
