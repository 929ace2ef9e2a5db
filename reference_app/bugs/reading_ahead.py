"""A worker that reads ahead: not a bug, but what some bugs need to be possible at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from confluent_kafka import Message

from reference_app.streams.task import Task
from reference_app.streams.worker import Worker


class ReadsAhead(Worker):
    """Fetches the next batch before it processes the one at hand; keeps every rule."""

    _ahead: Sequence[Message] = ()

    def _poll(self) -> list[Message]:
        at_hand, self._ahead = self._ahead, super()._poll()
        return list(at_hand)

    def _fetch_from_committed(self, tasks: Sequence[Task]) -> None:
        self._forget({task.partition for task in tasks})
        super()._fetch_from_committed(tasks)

    def _forget(self, partitions: Collection[int]) -> None:
        self._ahead = [each for each in self._ahead if each.partition() not in partitions]
