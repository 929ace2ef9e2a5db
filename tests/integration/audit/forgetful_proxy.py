"""A proxy that loses answers: a batch is in the log, and its producer never hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from tests.integration.audit import fetch_proxy
from tests.integration.audit.fetch_proxy import FetchProxy

_PRODUCE = 0
_SIZE = 4


@dataclass
class ForgetfulProxy(FetchProxy):
    """Closes a connection instead of passing on the first `most` answers to Produce. `forgotten`
    counts those, `answered` the others."""

    most: int = 1
    forgotten: int = 0
    answered: int = 0

    async def _answers(
        self,
        broker: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: dict[int, tuple[int, int]],
    ) -> None:
        while True:
            try:
                size = await broker.readexactly(_SIZE)
                frame = await broker.readexactly(int.from_bytes(size, "big"))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            key, version = asked.pop(int.from_bytes(frame[:_SIZE], "big"))
            if key == _PRODUCE:
                if self.forgotten < self.most:
                    self.forgotten += 1
                    return
                self.answered += 1
            frame = self._rewritten(frame, key, version)
            writer.write(len(frame).to_bytes(_SIZE, "big") + frame)
            await writer.drain()


@contextmanager
def forgetful_proxy(broker: str) -> Iterator[ForgetfulProxy]:
    """Before the broker at `host:port`."""
    with (
        patch.object(fetch_proxy, "FetchProxy", ForgetfulProxy),
        fetch_proxy.fetch_proxy(broker, lambda answer: answer) as proxy,
    ):
        assert isinstance(proxy, ForgetfulProxy)
        yield proxy
