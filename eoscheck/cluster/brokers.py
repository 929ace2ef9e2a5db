"""What may be done to single brokers of a cluster that is ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Brokers(Protocol):
    """The brokers by their ids. What is done to one is returned as plain data, the evidence.

    Every method raises InfrastructureError where it did not do what it says. Used from one thread
    at a time.
    """

    @property
    def ids(self) -> Sequence[int]: ...

    def is_up(self, broker: int) -> bool:
        """It runs and is not paused; not yet, that it answers (`wait_ready`)."""
        ...

    def kill(self, broker: int) -> dict[str, Any]:
        """Ends it at once (SIGKILL); returns when it is gone."""
        ...

    def stop(self, broker: int) -> dict[str, Any]:
        """Ends it in order: it hands over what it leads first. Returns when it is gone."""
        ...

    def pause(self, broker: int) -> dict[str, Any]:
        """It does nothing, and its connections stay open, until `resume`."""
        ...

    def resume(self, broker: int) -> dict[str, Any]: ...

    def start(self, broker: int) -> dict[str, Any]:
        """Starts it where it is down, with its data and its ports; returns at once."""
        ...

    def wait_ready(self, broker: int, *, timeout_s: float) -> None:
        """Until it answers clients and takes part in the cluster again."""
        ...

    @property
    def disks_may_be_filled(self) -> bool:
        """Each broker's disk is a small one of its own."""
        ...

    def fill_disk(self, broker: int) -> dict[str, Any]:
        """Until nothing more fits; `heal` gives the room back."""
        ...

    @property
    def may_be_disconnected(self) -> bool:
        """Each broker is in a container, on a network of ours."""
        ...

    def disconnect(self, broker: int) -> dict[str, Any]:
        """It runs, and nobody reaches it, nor it them, until `heal`."""
        ...

    def heal(self, broker: int) -> dict[str, Any]:
        """It runs again, whatever was done to it; idempotent. Returns at once (`wait_ready`)."""
        ...

    def heal_all(self) -> None: ...
