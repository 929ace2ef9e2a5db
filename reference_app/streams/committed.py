"""The group's committed offset of one input partition, once no transaction holds it any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from reference_app.streams.errors import SessionLost, is_passing, reason
from reference_app.streams.logs import event
from reference_app.streams.stream_time import Committed, from_metadata

_LOG = logging.getLogger(__name__)
_FIRST_TRY_S = 0.1
_LONGEST_TRY_S = 1.0
_PAUSE = 4
_REPORT_S = 5.0


class StableOffset:
    """Asks until the answer is stable (KIP-447: `require_stable`, part of `read_committed`).

    A transaction of the partition's former owner may have sent offsets and not have ended. When it
    ends, and how, is not ours to know: whoever went on from the older offset would process its
    records a second time. An owner that died leaves it to its own restart, or to the time-out.

    The consumer is asked, and the consumer waits; the admin client's request, which would not,
    ends the process where the group's coordinator has moved (librdkafka 5040).
    """

    def __init__(
        self,
        consumer: Consumer,
        partition: TopicPartition,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._partition = partition
        self._clock = clock
        self._try_s = _FIRST_TRY_S
        self._ask_at = clock()
        self._report_at = clock() + _REPORT_S

    def poll(self, *, alone: bool) -> Committed | None:
        """The next offset to process, and the stream time committed with it; None: not known yet.

        Blocks for a second at most. `alone`: no other task is running; else it asks no more than a
        fifth of the time. Raises SessionLost for an error that does not pass.
        """
        if not alone and self._clock() < self._ask_at:
            return None
        try:
            found = self._consumer.committed([self._partition], self._try_s)[0]
        except KafkaException as error:
            self._wait(error)
            return None
        if found.error is not None:
            self._wait(KafkaException(found.error))
            return None
        return Committed(max(found.offset, -1), from_metadata(found.metadata))

    def _wait(self, error: KafkaException) -> None:
        if not is_passing(error.args[0]):
            raise SessionLost(f"committed offset of {self._partition}: {reason(error)}") from error
        now = self._clock()
        self._ask_at = now + _PAUSE * self._try_s
        self._try_s = min(2 * self._try_s, _LONGEST_TRY_S)
        if now >= self._report_at:
            self._report_at = now + _REPORT_S
            task = self._partition.partition
            event(_LOG, "waiting_for_stable_offset", task=task, reason=reason(error))
