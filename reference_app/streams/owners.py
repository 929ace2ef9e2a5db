"""Notices partitions that nobody owns though the group has come to rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from reference_app.streams.errors import reason
from reference_app.streams.logs import event

_LOG = logging.getLogger(__name__)
_REQUEST_S = 5.0


class OwnerWatch:
    """For static members under cooperative rebalancing.

    A member that gives partitions up rejoins, and the rebalance that follows hands them on. If it
    dies in between and its static successor returns within the session, the broker gives it back
    what the former self had kept, without a rebalance (KIP-345): what was given up has no owner,
    and nobody is going to ask for one.
    """

    def __init__(
        self,
        admin: AdminClient,
        group: str,
        topic: str,
        *,
        partitions: int,
        interval_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admin = admin
        self._group = group
        self._topic = topic
        self._partitions = frozenset(range(partitions))
        self._interval_s = interval_s
        self._clock = clock
        self._ask_at = clock() + interval_s
        self._answer: Future[Any] | None = None
        self._unowned: frozenset[int] = frozenset()

    def poll(self) -> bool:
        """True where the same partitions had no owner twice in a row: rejoin. Does not block."""
        now = self._clock()
        if self._answer is None:
            if now >= self._ask_at:
                answers = self._admin.describe_consumer_groups(
                    [self._group], request_timeout=_REQUEST_S
                )
                self._answer = answers[self._group]
            return False
        if not self._answer.done():
            return False
        answer, self._answer, self._ask_at = self._answer, None, now + self._interval_s
        before, self._unowned = self._unowned, self._unowned_in(answer)
        if not self._unowned or self._unowned != before:
            return False
        event(_LOG, "unowned", level=logging.WARNING, partitions=sorted(self._unowned))
        self._unowned = frozenset()
        return True

    def _unowned_in(self, answer: Future[Any]) -> frozenset[int]:
        try:
            group = answer.result()
        except KafkaException as error:
            event(_LOG, "owners_unknown", level=logging.DEBUG, reason=reason(error))
            return frozenset()
        if group.state is not ConsumerGroupState.STABLE:
            return frozenset()
        owned = {
            place.partition
            for member in group.members
            for place in member.assignment.topic_partitions
            if place.topic == self._topic
        }
        return self._partitions - owned
