"""Who writes the load: this process, or another one that feeds what came of it into the run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from eoscheck.audit.identity import parse
from eoscheck.history import Recorder
from eoscheck.load import LoadSpec, run_load


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The load as the scenario has it; `identify` is the identity expression of its records,
    `client_config` librdkafka properties of the direct listener."""

    spec: LoadSpec
    seed: int
    run_id: str
    identify: str
    client_config: Mapping[str, str]
    recorder: Recorder


class Feed(Protocol):
    @property
    def over(self) -> threading.Event:
        """Is set when the load has ended before it was told to: no more faults are begun then."""
        ...

    def run(self, wanted: Wanted, *, stop: threading.Event) -> None:
        """Has the load made until `stop` is set, or its makers end it. When it returns, the
        outcome of every record stands in the history."""
        ...


def write_load(wanted: Wanted, *, feed: Feed | None, stop: threading.Event) -> None:
    if feed is not None:
        feed.run(wanted, stop=stop)
        return
    run_load(
        wanted.spec,
        seed=wanted.seed,
        run_id=wanted.run_id,
        client_config=wanted.client_config,
        recorder=wanted.recorder,
        identify=parse(wanted.identify),
        stop=stop,
    )
