"""Bugs in how a store is brought up to what is committed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from zlib import crc32

from confluent_kafka import Consumer, IsolationLevel

from reference_app.bugs.bug import Bug, exactly_once_by
from reference_app.streams.changelog import CHANGELOG_SUFFIX, Headers
from reference_app.streams.clients import Clients
from reference_app.streams.commit import ExactlyOnce, OnDelivery
from reference_app.streams.restore import Restorer
from reference_app.streams.store import Position


class _ReadsUncommitted(Clients):
    def restore_consumer(self) -> Consumer:
        isolation = {"isolation.level": "read_uncommitted"}
        return self._changelog_consumer("restore-consumer", isolation)


class _TrustsWhatIsThere(Restorer):
    def _begin(self, task: Any, logged: Any, *, log_start: int, end: int) -> Any:
        found = logged.store.position
        trusted = end if found is None else found.offset
        return super()._begin(task, logged, log_start=log_start, end=trusted)


class _ClaimsToBeDone(Restorer):
    def remove(self, partition: int) -> None:
        restoring = self._restoring.get(partition)
        for reading in (restoring.readings if restoring else None) or []:
            topic_id = reading.logged.changelog.topic.topic_id
            reading.logged.store.finish_restore(Position(topic_id, reading.end, time.time()))
        super().remove(partition)


class _ByKey(ExactlyOnce):
    _known: int | None = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        if topic.endswith(CHANGELOG_SUFFIX):
            partition = crc32(key or b"") % self._partitions(topic)
        super().send(topic, value, key, partition, on_delivery, headers)

    def _partitions(self, topic: str) -> int:
        if self._known is None:
            self._known = len(self._producer.list_topics(topic, 5.0).topics[topic].partitions)
        return self._known


# A fetch of one batch, and then a pause: the restore of a few seconds' work takes as long.
_SLOW_RESTORE = (
    *("--client-property", "consumer.queued.min.messages=1"),
    *("--client-property", "consumer.fetch.queue.backoff.ms=100"),
    *("--client-property", "consumer.max.partition.fetch.bytes=1000"),
)

# One record a request, one request at a time: nearly all of a transaction is its commit, with the
# changelog being written, and that is where a kill finds it.
_SLOW_COMMIT = (
    *("--commit-interval-ms", "10"),
    *("--client-property", "producer.batch.num.messages=1"),
    *("--client-property", "producer.max.in.flight.requests.per.connection=1"),
)

RESTORE_TO_LSO = Bug(
    name="restore-to-lso",
    breaks="A restore ends at the high watermark: here it ends at the last stable offset, and "
    "what was committed above an open transaction is not restored.",
    like="KAFKA-10167.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED", "RESTORE_SHORT"),
    fault="an open transaction in the changelog whose owner is away (crash before its offsets: "
    "they would keep others from taking over), and within its time-out a kill of who took over, "
    "state directory wiped: what was committed in between lies above the last stable offset",
    scenario="zoo-kills",
    options=("--transaction-timeout-ms", "15000"),
    settings=(
        "load.rate=300",
        'faults=[{kind="crash-before", step="TxnOffsetCommit", target=0, at="1s", down="9s", '
        'name="orphan"}, '
        '{kind="kill", during="orphan", target=1, at="5s", wipe=1, down="300ms"}]',
        "timing.faults=12s",
    ),
    breed=lambda parts: replace(parts, restore_end=IsolationLevel.READ_COMMITTED),
)
RESTORE_READS_UNCOMMITTED = Bug(
    name="restore-reads-uncommitted",
    breaks="A restore reads what is committed: here it also takes what an aborted transaction "
    "wrote to the changelog.",
    like="isolation.level left at the Java client's default for the consumer that rebuilds state.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="pause beyond the session's time-out: the zombie's transaction is aborted, its changelog "
    "records among it, which are older than those of the owner that came after it",
    scenario="zoo-zombies",
    breed=lambda parts: replace(parts, clients=_ReadsUncommitted),
)
STANDBY_READS_UNCOMMITTED = Bug(
    name="standby-reads-uncommitted",
    breaks="A standby is never ahead of what is committed: here it also takes what an aborted "
    "transaction wrote to the changelog, and is promoted with it.",
    like="A warm copy fed by a consumer whose isolation.level is the Java client's default.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="kill (SIGKILL) within a commit, for longer than the session: the standby is promoted",
    scenario="zoo-kills",
    options=(*_SLOW_COMMIT, "--num-standby-replicas", "1"),
    settings=(
        "load.rate=300",
        "faults.0.count=4",
        "faults.0.outlast_session=1.0",
        "faults.0.alone=true",
        "timing.faults=14s",
    ),
    breed=lambda parts: replace(parts, standby_overrides={"isolation.level": "read_uncommitted"}),
)
LOCAL_STATE_TRUSTED = Bug(
    name="local-state-trusted",
    breaks="A restore reads on from the store's own position: here a store that is found on disk "
    "is taken for current.",
    like="State reopened after a rebalance without asking who had the partition meanwhile.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED", "RESTORE_SHORT"),
    fault="terminate: the other instance takes over, works, and gives back",
    scenario="zoo-handovers",
    breed=lambda parts: replace(parts, restorer=_TrustsWhatIsThere),
)
INTERRUPTED_RESTORE_CLAIMED_DONE = Bug(
    name="interrupted-restore-claimed-done",
    breaks="An interrupted restore keeps the offset it has come to: here a task that is closed "
    "while it restores leaves the offset that it was to reach.",
    like="A checkpoint written at close from the end offset instead of from the restored one.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED", "RESTORE_SHORT"),
    fault="terminate (SIGTERM) while a wiped store is being restored",
    scenario="zoo-handovers",
    options=_SLOW_RESTORE,
    settings=(
        "load.rate=300",
        "load.zipf=0",
        "subject.instances=1",
        'faults=[{kind="kill", at="1s", wipe=1, down="300ms", name="lost"}, '
        '{kind="terminate", after="lost", when="restoring", down="100ms"}]',
        "timing.steady=4s",
    ),
    breed=lambda parts: replace(parts, restorer=_ClaimsToBeDone),
)
CHANGELOG_BY_KEY = Bug(
    name="changelog-by-key",
    breaks="A task writes to its own changelog partition, whatever the key's hash: here to the "
    "one that librdkafka's default partitioner, CRC32, gives the key.",
    like="State written to a topic of one's own with the client's default partitioner, where the "
    "input was partitioned by a Java client (murmur2).",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED", "MISPARTITIONED"),
    fault="kill (SIGKILL), state directory wiped",
    scenario="zoo-kills",
    settings=("faults.0.wipe=3",),
    breed=lambda parts: exactly_once_by(_ByKey, parts),
)
