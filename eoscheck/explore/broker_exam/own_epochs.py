"""The second version of the transaction protocol (KIP-890, `transaction.version` 2): the end of a
transaction gives its producer a new epoch, so that nothing late can belong to the next one."""

from __future__ import annotations

from collections.abc import Iterator

from eoscheck.explore.broker_exam.bench import (
    FENCED,
    UNSTABLE_OFFSET_COMMIT,
    Bench,
    given,
    offset_is,
    refused,
)
from eoscheck.explore.broker_exam.conversation import NotOfferedError, NotSupportedError
from eoscheck.explore.broker_exam.outcome import Observation
from eoscheck.explore.broker_exam.producer import ExamProducer

_FEATURE, _SINCE = "transaction.version", 2


def own_epochs(bench: Bench) -> Iterator[Observation]:
    """Raises NotOfferedError where the cluster has not agreed to it."""
    _require_offered(bench)
    group = bench.group()
    producer = bench.producer(own_epochs=True)
    yield from _adds_itself(bench, producer, group)
    first = producer.as_it_is()
    producer.end(commit=True).required()
    yield _bumped(first, producer)
    bench.settled()
    late = "the first transaction's late"
    yield refused(
        f"{late} record, when it has ended", first.produce(bench.partition, "late"), FENCED
    )
    producer.produce(bench.partition, "second").required()
    producer.commit_offset(group, bench.partition, 7).required()
    yield refused(f"{late} record, in the next one", first.produce(bench.partition, "late"), FENCED)
    offsets = first.commit_offset(group, bench.partition, 99)
    yield refused(f"{late} offsets, in the next one", offsets, FENCED)
    yield refused(f"{late} abort, in the next one", first.end(commit=False), FENCED)
    second = producer.as_it_is()
    producer.end(commit=True).required()
    yield _bumped(second, producer)
    bench.settled()
    yield given("both transactions are whole", bench.shown(), "first", "second")
    yield offset_is("the offset is the second one's", bench.stable_offset(group), 7)


def _require_offered(bench: Bench) -> None:
    try:
        level = bench.talk.feature(_FEATURE)
    except NotSupportedError as error:
        raise NotOfferedError(f"the broker tells no {_FEATURE}: {error}") from error
    if level < _SINCE:
        raise NotOfferedError(f"{_FEATURE} is {level}; this is offered from {_SINCE} on")


def _adds_itself(bench: Bench, producer: ExamProducer, group: str) -> Iterator[Observation]:
    """Nobody asks for AddPartitionsToTxn or AddOffsetsToTxn."""
    opened = producer.produce(bench.partition, "first").required().offset
    said = "a record adds its partition to the transaction"
    yield offset_is(said, bench.lso(), opened, what="LSO")
    producer.commit_offset(group, bench.partition, 5).required()
    pending, _ = bench.offset_fetch(group, require_stable=True)
    said = "an offset adds its group to the transaction"
    yield refused(said, pending, (UNSTABLE_OFFSET_COMMIT,))


def _bumped(before: ExamProducer, after: ExamProducer) -> Observation:
    """A producer whose epochs are used up is given another id."""
    seen = f"producer {after.producer_id} epoch {after.epoch}"
    return Observation(
        expected="the end of a transaction gives a later epoch",
        seen=f"{seen} after {before.producer_id}/{before.epoch}",
        holds=after.producer_id != before.producer_id or after.epoch > before.epoch,
    )
