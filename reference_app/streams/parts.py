"""What an app is put together from: the seams at which the bug zoo takes a rule away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import IsolationLevel

from reference_app.streams.clients import Clients
from reference_app.streams.commit import AtLeastOnce, Committer, ExactlyOnce
from reference_app.streams.options import Guarantee
from reference_app.streams.restore import Restorer
from reference_app.streams.store import RocksStore
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.windows import WindowedStore
from reference_app.streams.worker import Worker


def transactional_id(application_id: str, process_id: str, worker: int) -> str:
    """The same after every restart, so that a process fences its own former self (KIP-447)."""
    return f"{application_id}-{process_id}-{worker}"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an app is put together from. The defaults keep every rule; see `reference_app.bugs`."""

    worker: type[Worker] = Worker
    clients: type[Clients] = Clients
    restorer: type[Restorer] = Restorer
    committers: Mapping[Guarantee, Callable[..., Committer]] = field(
        default_factory=lambda: {
            Guarantee.EXACTLY_ONCE_V2: ExactlyOnce,
            Guarantee.AT_LEAST_ONCE: AtLeastOnce,
        }
    )
    store: Callable[..., RocksStore[Any, Any]] = RocksStore
    window_store: Callable[..., WindowedStore[Any, Any]] = WindowedStore
    stream_time: Callable[[], StreamTime] = StreamTime
    transactional_id: Callable[[str, str, int], str] = transactional_id
    consumer_overrides: Mapping[str, Any] = field(default_factory=dict)
    standby_overrides: Mapping[str, Any] = field(default_factory=dict)
    restore_end: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
