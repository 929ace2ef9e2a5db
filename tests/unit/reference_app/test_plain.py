"""The plain loop: which records become one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from reference_app.plain import Loop, Options


@dataclass
class Record:
    number: int

    def error(self) -> None:
        return None

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return json.dumps({"number": self.number}).encode()

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.number


@dataclass
class Fake:
    """Consumer and producer; the loop is stopped when all polls were answered."""

    polls: list[list[int]]
    loop: Loop | None = None
    wrote: list[list[int]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    def consume(self, _most: int, _timeout: float) -> list[Record]:
        if not self.polls:
            assert self.loop is not None
            self.loop.stop.set()
            return []
        return [Record(number) for number in self.polls.pop(0)]

    def consumer_group_metadata(self) -> object:
        return object()

    def init_transactions(self, _timeout: float) -> None:
        """At once."""

    def begin_transaction(self) -> None:
        self.wrote.append([])

    def produce(self, _topic: str, *, value: bytes, **_: Any) -> None:
        self.wrote[-1].append(json.loads(value)["number"])

    def flush(self, _timeout: float) -> None:
        """At once."""

    def send_offsets_to_transaction(self, offsets: list[Any], *_: Any) -> None:
        self.offsets += [each.offset for each in offsets]

    def commit_transaction(self, _timeout: float) -> None:
        """At once."""


@pytest.mark.parametrize(
    ("polls", "transactions"),
    [
        ([[1], [2, 3]], [[1, 2, 3]]),
        ([[1], []], [[1]]),
        ([[], [1], [], [2, 3]], [[1], [2, 3]]),
    ],
    ids=["a record alone waits for others", "and no longer than a poll", "nor holds others up"],
)
def test_a_batch_has_two_halves_where_it_can(
    polls: list[list[int]], transactions: list[list[int]]
) -> None:
    """It waited for a second record for ever: the last of a topic was never taken."""
    fake = Fake(polls)
    options = Options(output="out", batch=20, pause_s=0.0, roll_back_every=0, transactional=True)
    fake.loop = Loop(consumer=cast(Any, fake), producer=cast(Any, fake), options=options)
    fake.loop.run()
    assert fake.wrote == transactions
    assert fake.offsets == [each[-1] + 1 for each in transactions]
