"""Bugs in what a producer promises, under at-least-once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from confluent_kafka import KafkaError, Message

from reference_app.bugs.bug import Bug, at_least_once_by
from reference_app.streams.clients import Clients
from reference_app.streams.commit import AtLeastOnce
from reference_app.streams.task import Task
from reference_app.streams.worker import Worker

# Outputs stay in the producer's queue until a flush, which comes with a commit.
_LINGERING = (
    *("--processing-guarantee", "at_least_once"),
    *("--commit-interval-ms", "1000"),
    *("--client-property", "producer.linger.ms=5000"),
)
# The matrix' client gives records up sooner than these linger, which librdkafka refuses.
_GIVEN_UP_LATER = ("--client-property", "producer.message.timeout.ms=6500")


class _HearsNoErrors(AtLeastOnce):
    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        """Somebody else's concern."""


class _InAHurry(AtLeastOnce):
    closing = False

    def _flush(self, tasks: Sequence[Task]) -> None:
        if not self.closing:
            super()._flush(tasks)


class _ClosesInAHurry(Worker):
    def close(self) -> None:
        if isinstance(self.committer, _InAHurry):
            self.committer.closing = True
        super().close()


class _NotIdempotent(Clients):
    def _producer_properties(self, transactional_id: str | None) -> dict[str, Any]:
        properties = super()._producer_properties(transactional_id)
        return {**properties, "enable.idempotence": False}


DELIVERY_ERRORS_IGNORED = Bug(
    name="delivery-errors-ignored",
    breaks="At-least-once: every delivery report is checked before offsets are committed: here "
    "nobody looks at them.",
    like="produce() without a callback, in librdkafka's clients, and flush() taken for success.",
    anomalies=("LOST", "OFFSET_AHEAD", "WRONG_RESULT"),
    fault="pause: receipts grow too old in the producer's queue, and their topic refuses them",
    scenario="zoo-rollbacks",
    options=_LINGERING,
    settings=(
        "audit.expect=at-least-once",
        "faults.0.count=1",
        "faults.0.open_transaction=false",
        "timing.faults=5s",
    ),
    matrix_options=_GIVEN_UP_LATER,
    breed=lambda parts: at_least_once_by(_HearsNoErrors, parts),
)
FLUSH_SKIPPED_AT_CLOSE = Bug(
    name="flush-skipped-at-close",
    breaks="A clean close waits for its outputs before it commits their offsets: here it commits "
    "and leaves, with outputs still in the producer's queue.",
    like="A consumer that is closed, and commits, before the producer is flushed.",
    anomalies=("LOST", "OFFSET_AHEAD", "WRONG_RESULT"),
    fault="terminate (SIGTERM) at work",
    scenario="zoo-handovers",
    options=_LINGERING,
    settings=("audit.expect=at-least-once",),
    matrix_options=_GIVEN_UP_LATER,
    breed=lambda parts: replace(at_least_once_by(_InAHurry, parts), worker=_ClosesInAHurry),
)
NON_IDEMPOTENT_PRODUCER = Bug(
    name="non-idempotent-producer",
    breaks="At-least-once, too, has an idempotent producer, so that a retry neither repeats nor "
    "overtakes: here it is a plain one with several requests in flight.",
    like="The Java producer's defaults from 2.1 to 2.8: retries without end, five requests in "
    "flight, no idempotence.",
    anomalies=("DUPLICATE", "REORDERED"),
    fault="answers that are lost (timeout, from-broker): what was written is sent again",
    scenario="zoo-kills",
    # At-least-once, and yet each record once: nothing crashes, and no session ends.
    options=(
        *("--processing-guarantee", "at_least_once", "--commit-interval-ms", "100"),
        *("--session-timeout-ms", "20000"),
    ),
    settings=(
        'faults=[{kind="timeout", target="all", direction="from-broker", count=10, down="800ms"}]',
        "subject.session_timeout=20s",
        "timing.faults=22s",
    ),
    # There a dead member is to be noticed soon, as it is of all others.
    matrix_options=("--session-timeout-ms", "1500"),
    matrix_settings=("subject.session_timeout=1500ms",),
    breed=lambda parts: replace(parts, clients=_NotIdempotent),
)
