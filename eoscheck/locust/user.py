"""A Locust user that writes records of a scenario's load, and what serves it in its process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

import gevent
import msgspec
from locust import User, task
from locust.env import Environment

from eoscheck.load import LoadSpec
from eoscheck.load.records import generate


class EosUser(User):
    """Records at a steady rate, open loop: a slow cluster slows no user down.

    The records are the scenario's (`[load]`), unless a subclass says another `key`, `value`, `keys`
    or `zipf` (as in that table; docs/scenarios.md), or makes its own `records`. `rate` is records a
    second of each user: with ten users it is ten times as many. Topic, transactions and
    acknowledgement are the scenario's.

    A user sends nothing itself. All users of a process hand their records to one producer in a
    thread of its own, so that Locust's event loop never waits for a broker.
    """

    abstract = True
    rate: ClassVar[float | None] = None
    key: ClassVar[str | None] = None
    value: ClassVar[dict[str, Any] | str | None] = None
    keys: ClassVar[int | None] = None
    zipf: ClassVar[float | None] = None

    def spec(self, load: LoadSpec, *, rate: float | None = None) -> LoadSpec:
        """The scenario's load with what this class says of its own. `rate` is the command line's.
        Raises UsageError for what cannot be."""
        said = {
            "rate": rate if rate is not None else self.rate,
            "key": self.key,
            "value": self.value,
            "keys": self.keys,
            "zipf": self.zipf,
        }
        own = {name: value for name, value in said.items() if value is not None}
        return msgspec.convert({**msgspec.structs.asdict(load), **own}, LoadSpec)

    def records(
        self, spec: LoadSpec, *, numbers: Iterator[int], seed: str, run_id: str
    ) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each record, without end; each takes its identity from `numbers` when it
        is made. Runs in the sending thread: it must not use gevent, and no patched library."""
        return generate(spec, seed=seed, run_id=run_id, numbers=numbers)

    def on_start(self) -> None:
        _generators[self.environment].join(self)

    def on_stop(self) -> None:
        _generators[self.environment].leave(self)

    @task
    def write(self) -> None:
        """Nothing to be done: the sending thread writes."""
        gevent.sleep(1)


class Serving(Protocol):
    def join(self, user: EosUser) -> None: ...

    def leave(self, user: EosUser) -> None: ...


_generators: WeakKeyDictionary[Environment, Serving] = WeakKeyDictionary()


def serve(environment: Environment, generator: Serving) -> None:
    """From now on `generator` serves the users of this environment."""
    _generators[environment] = generator
