"""The ways to brokers on which a proxy may stand: plain data between the rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Link:
    """A way to one broker's listener on which a proxy may stand. Addresses are (host, port)."""

    role: Literal["client", "replication", "controller"]
    source: int
    """client: the subject's instance (slot) number from 0; else the id of the broker that
    connects."""
    broker: int
    """The id of the broker it leads to."""
    listen: tuple[str, int]
    """Where the proxy listens: what the source is told."""
    upstream: tuple[str, int]
    """Where the broker listens."""
