"""Which generator serves the users of an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from locust.env import Environment

if TYPE_CHECKING:
    from eoscheck.locust.user import EosUser


class Serving(Protocol):
    def join(self, user: EosUser) -> None: ...

    def leave(self, user: EosUser) -> None: ...


_generators: WeakKeyDictionary[Environment, Serving] = WeakKeyDictionary()


def serve(environment: Environment, generator: Serving) -> None:
    _generators[environment] = generator


def generator_of(environment: Environment) -> Serving:
    return _generators[environment]
