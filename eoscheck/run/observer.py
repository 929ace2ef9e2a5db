"""What the harness sees of a run while it goes on: committed outputs, lag, watermarks.

Everything here reads past the faults, on the direct listener, joins no group and commits nothing.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from eoscheck.audit.identity import Headers, Identify
from eoscheck.cluster.connection import QUIET
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.history import (
    Event,
    GroupChanged,
    GroupSampled,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
    Recorder,
)
from eoscheck.history.events import Identity
from eoscheck.history.restores import ChangelogSampled
from eoscheck.subject import Role, Subject
from eoscheck.subject.readiness import Work, look_at_group, owned_partitions

_BATCH = 1000
_POLL_S = 0.05


def observe_outputs(
    *,
    topic: str,
    partitions: Sequence[int],
    client_config: Mapping[str, str],
    identify: Identify,
    recorder: Recorder,
    stop: threading.Event,
) -> None:
    """Reads `topic` under read_committed from its beginning and records what it is given, until
    `stop` is set and nothing more comes."""
    consumer = Consumer(
        {
            **client_config,
            **QUIET,
            "group.id": "eoscheck-observer",  # the client wants one; nothing joins or commits
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        while True:
            messages = consumer.consume(num_messages=_BATCH, timeout=_POLL_S)
            if messages:
                record_outputs(messages, topic=topic, identify=identify, recorder=recorder)
            elif stop.is_set():
                return
    finally:
        consumer.close()


def record_outputs(
    messages: Sequence[Message], *, topic: str, identify: Identify, recorder: Recorder
) -> None:
    """What a reader was given in one go, an event for each partition; one more where it was set
    back meanwhile. Raises InfrastructureError for an error that waiting does not mend."""
    offsets: dict[int, list[int]] = defaultdict(list)
    identities: dict[int, list[Identity]] = defaultdict(list)
    now = recorder.now()

    def record(partition: int) -> None:
        given, whose = offsets.pop(partition), identities.pop(partition)
        recorder.record(
            OutputsObserved(
                t=now,
                topic=topic,
                partition=partition,
                first_offset=given[0],
                last_offset=given[-1],
                identities=whose,
                offsets=given,
            )
        )

    for message in messages:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF or error.retriable():  # noqa: SLF001
                continue
            raise InfrastructureError(f"reading {topic} while the run goes on: {error.str()}")
        partition, offset = message.partition(), message.offset()
        headers = cast(Headers, message.headers())  # the client never gives a dict
        identity = identify(message.key(), message.value(), headers)
        if partition is not None and offset is not None and identity is not None:
            if offsets[partition] and offset <= offsets[partition][-1]:
                record(partition)  # the log has lost its end: the reader was set back
            offsets[partition].append(offset)
            identities[partition].append(identity)
    for partition in sorted(offsets):
        record(partition)


def sample_progress(
    *,
    view: ClusterView,
    roles: Sequence[Role],
    output_topic: str,
    recorder: Recorder,
    stop: threading.Event,
    every_s: float = 0.25,
    on_group: Callable[[GroupSampled], None] = lambda _sample: None,
) -> None:
    """Records watermarks, and the lag of each role, every `every_s` until `stop` is set; `on_group`
    is given each sample of a group.

    A question the cluster does not answer (a broker away, no group yet) leaves out that sample.
    """
    while not stop.wait(every_s):
        try:
            recorder.record(
                LogSampled(
                    t=recorder.now(),
                    topic=output_topic,
                    high_watermarks=view.high_watermarks(output_topic),
                    last_stable_offsets=view.last_stable_offsets(output_topic),
                )
            )
        except EoscheckError:
            continue
        for role in roles:
            with suppress(EoscheckError):
                sample = sample_group(role, view=view, recorder=recorder)
                if sample is not None:
                    recorder.record(sample)
                    on_group(sample)


def sample_changelogs(
    *,
    view: ClusterView,
    topics: Sequence[str],
    recorder: Recorder,
    stop: threading.Event,
    every_s: float = 0.25,
) -> None:
    """Records how far changelogs had come, until `stop` is set: restores are held against that. One
    that is not there yet has no partitions; one that is not answered for leaves out that sample."""
    while True:
        for topic in topics:
            try:
                ends = view.high_watermarks(topic)
            except UsageError:
                ends = {}
            except EoscheckError:
                continue
            # Afterwards: no restore that began before this may be asked for more.
            now = recorder.now()
            recorder.record(ChangelogSampled(t=now, topic=topic, high_watermarks=ends))
        if stop.wait(every_s):
            return


def watch_group(
    *,
    view: ClusterView,
    group: str,
    topic: str,
    recorder: Recorder,
    stop: threading.Event,
    every_s: float = 0.1,
) -> None:
    """Records each change of the group's state, and of who owns which partitions of `topic`, until
    `stop` is set. What its coordinator does not answer is asked again."""
    last: tuple[str, dict[str, list[int]]] | None = None
    while not stop.wait(every_s):
        t = recorder.now()
        try:
            members, state = look_at_group(view, group)
        except EoscheckError:
            continue
        owners = {
            each.instance_id or each.member_id: sorted(each.partitions.get(topic, []))
            for each in members
        }
        if (state, owners) != last:
            last = state, owners
            recorder.record(GroupChanged(t=t, state=state, owners=owners))


class RestartWatch:
    """Records InstanceReady for each process that is seen to work: a listener of the history, given
    the samples of the group as well."""

    def __init__(self, subject: Subject, *, view: ClusterView, recorder: Recorder) -> None:
        self._subject = subject
        self._view = view
        self._recorder = recorder
        self._starting: dict[int, Work] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, InstanceStarted):
            self._starting[event.instance] = Work()
        elif isinstance(event, InstanceReady | InstanceExited):
            self._starting.pop(event.instance, None)

    def look(self, sample: GroupSampled) -> None:
        for instance, work in list(self._starting.items()):
            role = self._subject.role_of(instance)
            if role.name != sample.role:
                continue
            owned = owned_partitions(
                role.spec,
                view=self._view,
                topic=role.input,
                client_id=role.spec.client_id_of(instance, run_id=self._subject.run_id),
            )
            if owned and work.seen(owned, sample.committed):
                evidence = f"commits on {role.input}, partitions {owned}"
                self._recorder.record(
                    InstanceReady(t=self._recorder.now(), instance=instance, evidence=evidence)
                )


def sample_group(role: Role, *, view: ClusterView, recorder: Recorder) -> GroupSampled | None:
    """The group's committed offsets against the input's end, as it is: unstable offsets are not
    waited for, because a lag that stops moving is just what a fault looks like. None without a
    group."""
    group, topic = role.spec.group, role.input
    if group is None:
        return None
    ends = view.high_watermarks(topic)
    committed = view.committed(group, topic, require_stable=False)
    lag = sum(max(0, end - committed.get(partition, 0)) for partition, end in ends.items())
    return GroupSampled(
        t=recorder.now(), lag=lag, committed=committed, ends=ends, topic=topic, role=role.name
    )
