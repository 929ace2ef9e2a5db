"""The group's committed offset of one input partition, once no transaction holds it any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from reference_app.streams.errors import SessionLost, is_passing, reason
from reference_app.streams.logs import event

_LOG = logging.getLogger(__name__)
_REQUEST_S = 10.0
_PAUSE_S = 0.05
_REPORT_S = 5.0


class StableOffset:
    """Asks, without blocking, until the answer is stable (KIP-447: `require_stable`).

    A transaction of the partition's former owner may have sent offsets and not have ended. When it
    ends, and how, is not ours to know: whoever went on from the older offset would process its
    records a second time. An owner that died leaves it to its own restart, or to the time-out.
    """

    def __init__(
        self,
        admin: AdminClient,
        group: str,
        partition: TopicPartition,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admin = admin
        self._group = group
        self._partition = partition
        self._clock = clock
        self._answer: Future[ConsumerGroupTopicPartitions] | None = None
        self._ask_at = clock()
        self._report_at = clock() + _REPORT_S

    def poll(self) -> int | None:
        """The next offset to process, -1 where none was committed; None: not known yet."""
        now = self._clock()
        if self._answer is None:
            if now >= self._ask_at:
                self._answer = self._ask()
            return None
        if not self._answer.done():
            return None
        answer, self._answer, self._ask_at = self._answer, None, now + _PAUSE_S
        error: KafkaError | None
        try:
            found = (answer.result().topic_partitions or [])[0]
            error = found.error
        except KafkaException as exception:
            error = exception.args[0]
        if error is None:
            return max(found.offset, -1)
        if error.code() != KafkaError.UNSTABLE_OFFSET_COMMIT and not is_passing(error):
            raise SessionLost(f"committed offset of {self._partition}: {error.str()}")
        if now >= self._report_at:
            self._report_at = now + _REPORT_S
            event(
                _LOG,
                "waiting_for_stable_offset",
                task=self._partition.partition,
                reason=reason(KafkaException(error)),
            )
        return None

    def _ask(self) -> Future[ConsumerGroupTopicPartitions]:
        request = ConsumerGroupTopicPartitions(self._group, [self._partition])
        answers = self._admin.list_consumer_group_offsets(
            [request], require_stable=True, request_timeout=_REQUEST_S
        )
        answer: Future[ConsumerGroupTopicPartitions] = answers[self._group]
        return answer
