"""A proxy that loses answers: a batch is in the log, and its producer never hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.integration.audit.fetch_proxy import Fate, FetchProxy, opened, port_of

_PRODUCE = 0


@dataclass
class ForgetfulProxy(FetchProxy):
    """Closes a connection instead of passing on the first `most` answers to Produce. `forgotten`
    counts those, `answered` the others."""

    most: int = 1
    forgotten: int = 0
    answered: int = 0

    def fate(self, key: int) -> Fate:
        if key != _PRODUCE:
            return "pass"
        if self.forgotten < self.most:
            self.forgotten += 1
            return "close"
        self.answered += 1
        return "pass"


@contextmanager
def forgetful_proxy(broker: str) -> Iterator[ForgetfulProxy]:
    """Before the broker at `host:port`."""
    with opened(ForgetfulProxy(broker_port=port_of(broker))) as proxy:
        yield proxy
