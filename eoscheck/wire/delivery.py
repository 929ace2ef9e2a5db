"""What goes to a client: at once, or behind the answers of released requests."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.wire.armed import Held
from eoscheck.wire.loop import LoopThread
from eoscheck.wire.side import Side

_LATE_S = 3.0


class Delivery:
    """Answers to one client, in order; in the proxy's thread."""

    def __init__(self, client: Side, *, loop: LoopThread) -> None:
        self._client, self._loop = client, loop
        self._late: set[Held] = set()
        self._kept: list[bytes] = []

    @property
    def waits(self) -> bool:
        return bool(self._late)

    def write(self, out: Sequence[bytes]) -> None:
        """Where it waits, it is kept until it does no longer."""
        self._kept += out
        if not self._late:
            self.flush()

    def flush(self) -> None:
        """What is kept goes now."""
        data = b"".join(self._kept)
        self._kept.clear()
        self._client.write(data)

    def wait_for(self, held: Held) -> None:
        """It was released: its answer comes before the client hears of what released it. Some,
        as that of a JoinGroup, may wait for the client, which hears after 3 s then."""

        def go_on() -> None:
            timer.cancel()
            self._late.discard(held)
            self.write(())

        self._late.add(held)
        timer = self._loop.later(_LATE_S, go_on)
        held.settled.add_done_callback(lambda _: go_on())
