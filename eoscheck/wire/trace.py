"""What went over the wire: one entry for each request that was answered, dropped or cut off."""

from __future__ import annotations

from typing import Literal

import msgspec

from eoscheck.wire.request import Request
from eoscheck.wire.steps import Step

Outcome = Literal["answered", "unanswered", "one-way"]
"""`unanswered`: its connection ended before an answer came; `one-way`: none is sent (acks=0)."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what became of it. Times: seconds by `time.monotonic`. `error`: Kafka's first
    error code in the answer, where that API's answer is read (0: none), else None. `action`: what
    a rule did to it. `connection` numbers the client's connections of a run."""

    sent: float
    answered: float | None
    instance: int
    broker: int
    connection: int
    steps: tuple[Step, ...]
    request: Request
    outcome: Outcome
    error: int | None = None
    action: str | None = None
