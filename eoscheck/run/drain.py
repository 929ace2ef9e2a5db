"""When a subject has finished its input: bounded waits on what can be observed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, TopicPartition

from eoscheck.cluster.connection import QUIET
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, InfrastructureError
from eoscheck.history.progress import Progress

_POLL_S = 0.1
_BATCH = 1000
_QUIET_S = 5.0
_SETTLED_S = 1.0


def wait_drained(
    *,
    progress: Progress,
    due: Mapping[int, int],
    view: ClusterView,
    group: str | None,
    input_topic: str,
    timeout_s: float,
    now: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[bool, str]:
    """Waits until the subject has committed all its input, which is `due`, for each partition one
    past its last record: (done, what was seen, in words).

    Without a group there is nothing to ask: then it is done when no output came for a while.
    """
    deadline = now() + timeout_s
    missing = ""
    while now() < deadline:
        if group is None:
            if now() - progress.last_output_at >= _QUIET_S:
                return True, f"no output for {_QUIET_S:g} s"
        else:
            missing = _missing(due, view=view, group=group, topic=input_topic)
            if not missing:
                return True, f"group {group} has committed all {sum(due.values())} offsets"
        sleep(_POLL_S)
    waited = f"waited {timeout_s:g} s for the subject to finish its input"
    return False, f"{waited}: {missing or 'outputs still come'}"


def _missing(due: Mapping[int, int], *, view: ClusterView, group: str, topic: str) -> str:
    try:
        committed = view.committed(group, topic, require_stable=False)
    except EoscheckError as error:
        return str(error)
    behind = {
        partition: end - committed.get(partition, 0)
        for partition, end in sorted(due.items())
        if committed.get(partition, 0) < end
    }
    if not behind:
        return ""
    return "group {} lacks {}".format(
        group, ", ".join(f"{count} offsets of {topic}/{part}" for part, count in behind.items())
    )


def data_ends(
    client_config: Mapping[str, str],
    *,
    view: ClusterView,
    group: str | None,
    topic: str,
    timeout_s: float,
    now: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> dict[int, int]:
    """Of a topic that nobody writes to any more: for each partition, one past the last record that
    a reader under read_committed is given, or where `group` stands, if there is none behind that.
    (The end of the log would not do: behind the last record may lie a transaction's marker, or what
    it took back.)

    Waits for transactions that their writers have left open. Raises InfrastructureError where that,
    or the reading, takes longer than `timeout_s`.
    """
    give_up_at = now() + timeout_s
    while (ends := view.last_stable_offsets(topic)) != view.high_watermarks(topic):
        if now() >= give_up_at:
            raise InfrastructureError(f"a transaction on {topic} is open, {timeout_s:g} s long")
        sleep(_POLL_S)
    committed = {} if group is None else view.committed(group, topic, require_stable=False)
    due = {partition: committed.get(partition, 0) for partition in ends}
    unread = {partition for partition, end in ends.items() if due[partition] < end}
    consumer = Consumer(
        {
            **client_config,
            **QUIET,
            "group.id": "eoscheck-drain",  # the client wants one; nothing joins or commits
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.assign([TopicPartition(topic, each, due[each]) for each in sorted(unread)])
        while unread:
            if now() >= give_up_at:
                raise InfrastructureError(
                    f"{topic} could not be read to its end in {timeout_s:g} s"
                )
            for message in consumer.consume(num_messages=_BATCH, timeout=_POLL_S):
                partition, offset, error = message.partition(), message.offset(), message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    unread.discard(partition or 0)
                elif error is None and partition is not None and offset is not None:
                    due[partition] = offset + 1
    finally:
        consumer.close()
    return due


def wait_observed(
    *,
    progress: Progress,
    view: ClusterView,
    topic: str,
    now: Callable[[], float],
    timeout_s: float = 10.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Gives the live reader time to see the last committed outputs, for the figures' sake: the
    audit reads the topic itself, so a reader that is late costs figures and no verdict.

    A partition's end may be a transaction's marker, which no reader is given: so this waits until
    nothing new has come for a moment, not for an offset.
    """
    ends = view.last_stable_offsets(topic)
    deadline = now() + timeout_s
    while now() < deadline:
        behind = any(end > progress.observed_to.get(part, 0) + 1 for part, end in ends.items())
        quiet = now() - progress.last_output_at
        if quiet >= (_SETTLED_S if behind else 0.0):
            return
        sleep(_POLL_S)
