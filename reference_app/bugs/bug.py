"""What is known of a bug, and how it changes the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference_app.streams.parts import Parts


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One departure from one rule.

    `anomalies` are the codes an audit can find; `fault` is what brings them out, and `like` a real
    system or report that had the same error. `breed` replaces the parts that keep the rule.
    """

    name: str
    breaks: str
    like: str
    anomalies: tuple[str, ...]
    fault: str
    breed: Callable[[Parts], Parts]
