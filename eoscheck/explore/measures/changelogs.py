"""What a restore has to read: the changelogs of a subject, and how much is in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from eoscheck.cluster.connection import QUIET
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.run.scenario import Scenario

_SUFFIX = "-changelog"
_BATCH = 5000
_SILENCE_S = 1.0
_MOST_SILENCES = 30


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Committed records; `value_bytes` of all of them, `keys` distinct ones."""

    records: int = 0
    key_bytes: int = 0
    value_bytes: int = 0
    keys: int = 0
    partitions: int = 0
    """That hold a record."""

    @property
    def megabytes(self) -> float:
        return (self.key_bytes + self.value_bytes) / 1e6

    @property
    def mean_value(self) -> int:
        return round(self.value_bytes / self.records) if self.records else 0


def changelogs_of(scenario: Scenario, view: ClusterView, *, run_id: str) -> list[str]:
    """Those that the scenario names, and those of its run that are called so. Raises UsageError
    where there is none."""
    named = {each.name for each in scenario.audit.changelogs}
    if scenario.audit.final_state is not None:
        named.add(scenario.audit.final_state.topic)
    there = view.topics()
    found = {name for name in there if run_id in name and name.endswith(_SUFFIX)}
    chosen = sorted((named | found) & set(there))
    if not chosen:
        raise UsageError(
            "no changelog was found: the subject has no state that is restored, or "
            "[[audit.changelogs]] must name its topics"
        )
    return chosen


def contents(
    topics: Sequence[str], *, view: ClusterView, client_config: Mapping[str, str]
) -> Contents:
    """Reads them from end to end, as a restore does. Raises InfrastructureError where that does not
    go on."""
    records = key_bytes = value_bytes = 0
    keys: set[int] = set()
    holding: set[tuple[str, int]] = set()
    for message in _committed(topics, view=view, client_config=client_config):
        key, value = message.key() or b"", message.value() or b""
        records += 1
        key_bytes += len(key)
        value_bytes += len(value)
        where = str(message.topic()), int(message.partition() or 0)
        keys.add(hash((where, key)))
        holding.add(where)
    return Contents(
        records=records,
        key_bytes=key_bytes,
        value_bytes=value_bytes,
        keys=len(keys),
        partitions=len(holding),
    )


def _committed(
    topics: Sequence[str], *, view: ClusterView, client_config: Mapping[str, str]
) -> Iterator[Message]:
    ends = {
        (topic, part): end
        for topic in topics
        for part, end in view.last_stable_offsets(topic).items()
        if end > view.log_starts(topic)[part]
    }
    consumer = Consumer(
        {
            **client_config,
            **QUIET,
            "group.id": "eoscheck-changelogs",  # the client wants one; nothing joins or commits
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    try:
        places = [TopicPartition(topic, part, OFFSET_BEGINNING) for topic, part in ends]
        consumer.assign(places)
        silences = 0
        while True:
            messages = consumer.consume(_BATCH, _SILENCE_S)
            yield from (message for message in messages if message.error() is None)
            silences = 0 if messages else silences + 1
            at = consumer.position(places)
            if all(each.offset >= ends[each.topic, each.partition] for each in at):
                return
            if silences > _MOST_SILENCES:
                raise InfrastructureError(f"{', '.join(topics)} could not be read to the end")
    finally:
        consumer.close()
