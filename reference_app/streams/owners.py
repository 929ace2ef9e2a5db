"""Who owns which partition, as the group says once it has come to rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from reference_app.streams.errors import reason
from reference_app.streams.logs import event

_LOG = logging.getLogger(__name__)
_REQUEST_S = 5.0


@dataclass(frozen=True)
class Owners:
    """By partition, the process of the member that owns it; `members`: all processes.

    Not `stable` while the group rebalances or cannot be asked: then nothing is known.
    """

    stable: bool
    by_partition: Mapping[int, str]
    members: frozenset[str]


def process_name(client_id: str, instance_id: str | None) -> str:
    """Which process a member of the group belongs to.

    A static member that comes back keeps the client id that its first self joined with, even where
    it has another one now (a wiped state directory): only its instance id tells. That ends in the
    worker's number.
    """
    return client_id if instance_id is None else instance_id.rpartition("-")[0]


_UNKNOWN = Owners(stable=False, by_partition={}, members=frozenset())


class GroupWatch:
    """Asks for the group's description every `interval_s` seconds, without blocking."""

    def __init__(
        self,
        admin: AdminClient,
        group: str,
        topic: str,
        *,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admin = admin
        self._group = group
        self._topic = topic
        self._interval_s = interval_s
        self._clock = clock
        self._ask_at = clock() + interval_s
        self._answer: Future[Any] | None = None

    def poll(self) -> Owners | None:
        """Each answer once; None in between."""
        now = self._clock()
        if self._answer is None:
            if now >= self._ask_at:
                answers = self._admin.describe_consumer_groups(
                    [self._group], request_timeout=_REQUEST_S
                )
                self._answer = answers[self._group]
            return None
        if not self._answer.done():
            return None
        answer, self._answer, self._ask_at = self._answer, None, now + self._interval_s
        return self._read(answer)

    def _read(self, answer: Future[Any]) -> Owners:
        try:
            group = answer.result()
        except KafkaException as error:
            event(_LOG, "owners_unknown", level=logging.DEBUG, reason=reason(error))
            return _UNKNOWN
        if group.state is not ConsumerGroupState.STABLE:
            return _UNKNOWN
        names = {
            member.member_id: process_name(member.client_id, member.group_instance_id)
            for member in group.members
        }
        owners = {
            place.partition: names[member.member_id]
            for member in group.members
            for place in member.assignment.topic_partitions
            if place.topic == self._topic
        }
        return Owners(
            stable=True,
            by_partition=owners,
            members=frozenset(names.values()),
        )


class OwnerWatch:
    """Notices partitions that nobody owns; for static members under cooperative rebalancing.

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
        self._watch = GroupWatch(admin, group, topic, interval_s=interval_s, clock=clock)
        self._partitions = frozenset(range(partitions))
        self._unowned: frozenset[int] = frozenset()

    def poll(self) -> bool:
        """True where the same partitions had no owner twice in a row: rejoin. Does not block."""
        owners = self._watch.poll()
        if owners is None:
            return False
        before = self._unowned
        self._unowned = (
            self._partitions - owners.by_partition.keys() if owners.stable else frozenset()
        )
        if not self._unowned or self._unowned != before:
            return False
        event(_LOG, "unowned", level=logging.WARNING, partitions=sorted(self._unowned))
        self._unowned = frozenset()
        return True
