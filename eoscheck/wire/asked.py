"""A request on its way, and what is to become of its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eoscheck.wire import apis
from eoscheck.wire.armed import Armed
from eoscheck.wire.request import Request
from eoscheck.wire.rules import Firing
from eoscheck.wire.steps import Step
from eoscheck.wire.trace import Exchange

Fate = Literal["deliver", "swallow", "crash"]


@dataclass(slots=True, kw_only=True, eq=False)
class Asked:
    request: Request
    steps: tuple[Step, ...]
    sent: float
    fate: Fate = "deliver"
    action: str | None = None
    armed: Armed | None = None
    firing: Firing | None = None
    """Where an action is not done before the answer."""
    settled: Callable[[Exchange], None] | None = None
    error: int | None = None

    @property
    def ends_headers(self) -> bool:
        """Tokens without headers follow it."""
        return self.request.api_key == apis.SASL_HANDSHAKE and self.request.api_version == 0
