"""What went over the wire: one entry for each request that was answered, dropped or cut off."""

from __future__ import annotations

from typing import Literal

import msgspec

from eoscheck.wire.request import Request
from eoscheck.wire.steps import Step

Outcome = Literal["answered", "unanswered", "one-way"]
"""`answered`: by the broker, whether or not the client was told (see `action`); `unanswered`: its
connection ended before, or the broker never saw it; `one-way`: none is sent (acks=0)."""

STALLED = "stalled"
"""The action of a request behind one that was dropped, or whose answer was: it reached the broker,
and its answer is kept from the client, to whom answers come in order or not at all."""
COPY = "copy"
"""The action of the second of a duplicated request; its correlation id is negative."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and what became of it. Times: seconds by `time.monotonic`. `error`: Kafka's first
    error code in the answer, where that API's answer is read (0: none), else None. `action`: what
    a rule did to it, or `stalled`, or `copy`. `connection` numbers the client's connections of a
    run."""

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
