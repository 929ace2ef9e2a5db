"""Where a changelog partition begins and ends, asked without blocking."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ListOffsetsResultInfo,
    OffsetSpec,
)

from reference_app.streams.errors import NO_LEADER, SessionLost, is_passing, reason

_REQUEST_S = 10.0
_REFRESH_S = 1.0
_PAUSE_S = 0.1
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class LogBounds:
    """Log start and end offset, both as they were when this was made, or later.

    Under `READ_UNCOMMITTED` the end is the high watermark; a consumer's own watermarks would be the
    last stable offset where it reads committed.
    """

    def __init__(
        self,
        admin: AdminClient,
        partition: TopicPartition,
        *,
        end_isolation: IsolationLevel,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admin = admin
        self._partition = partition
        self._end_isolation = end_isolation
        self._clock = clock
        self._ask_at = clock()
        self._answers: list[Future[ListOffsetsResultInfo]] = []
        self._bounds: tuple[int, int] | None = None

    def poll(self) -> tuple[int, int] | None:
        """(start, end), or None while not known. Raises SessionLost for what does not pass."""
        if self._bounds is not None:
            return self._bounds
        if not self._answers:
            if self._clock() >= self._ask_at:
                self._answers = [self._ask(_EARLIEST), self._ask(_LATEST)]
            return None
        if not all(answer.done() for answer in self._answers):
            return None
        try:
            start, end = (answer.result().offset for answer in self._answers)
        except KafkaException as error:
            self._ask_again(error)
            return None
        if start < 0 or end < 0:
            # A leader that moves meanwhile: the client gives OFFSET_INVALID (-1001), and no error.
            # Taken for an end, it made a task wipe its store and begin with nothing.
            self._look_again()
            return None
        self._bounds = (start, end)
        return self._bounds

    def _ask(self, spec: OffsetSpec) -> Future[ListOffsetsResultInfo]:
        answers = self._admin.list_offsets(
            {self._partition: spec},
            isolation_level=self._end_isolation,
            request_timeout=_REQUEST_S,
        )
        return answers[self._partition]

    def _ask_again(self, error: KafkaException) -> None:
        code = error.args[0]
        if not is_passing(code) and code.code() != NO_LEADER:
            raise SessionLost(f"bounds of {self._partition}: {reason(error)}") from error
        self._look_again()

    def _look_again(self) -> None:
        # The admin client keeps the leader epoch it once learned, and is refused with it for
        # minutes after the leader has changed: a look at the topic teaches it the new one.
        with suppress(KafkaException):
            self._admin.list_topics(self._partition.topic, _REFRESH_S)
        self._answers = []
        self._ask_at = self._clock() + _PAUSE_S
