"""The promises that exactly-once rests on: each is a short talk with the broker, whose answers are
held against what Kafka's protocol says (KIP-98, KIP-360, KIP-447, KIP-890)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from eoscheck.explore.broker_exam.bench import (
    FENCED,
    NO_OFFSET,
    UNSTABLE_OFFSET_COMMIT,
    Bench,
    given,
    offset_is,
    refused,
)
from eoscheck.explore.broker_exam.conversation import Answer, NotSupportedError
from eoscheck.explore.broker_exam.member import ExamMember, Member
from eoscheck.explore.broker_exam.outcome import Observation
from eoscheck.explore.broker_exam.own_epochs import own_epochs

_ILLEGAL_GENERATION, _UNKNOWN_MEMBER_ID, _FENCED_INSTANCE_ID = 22, 25, 82
_OUT_OF_ORDER_SEQUENCE, _DUPLICATE_SEQUENCE = 45, 46
_INVALID_TXN_STATE, _TRANSACTION_ABORTABLE = 48, 120
_EXPIRING_MS = 1_000
_EVICTION_SLACK_S = 0.5
_IN_FLIGHT = 5
"""So many batches of a producer may be under way at once, each of which may be sent again."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """`check` yields what it sees; it raises NotExaminedError where it cannot go on."""

    name: str
    title: str
    check: Callable[[Bench], Iterator[Observation]]


def _aborted_hidden(bench: Bench) -> Iterator[Observation]:
    producer = bench.producer()
    for value, commit in (("aborted", False), ("committed", True)):
        producer.begin(bench.partition).required()
        producer.produce(bench.partition, value).required()
        producer.end(commit=commit).required()
    bench.settled()
    found = bench.shown()
    yield given("a read_committed consumer sees what was committed alone", found, "committed")


def _last_stable_offset(bench: Bench) -> Iterator[Observation]:
    writer, other = bench.producer(), bench.producer(transactional=False)
    other.produce(bench.partition, "before").required()
    writer.begin(bench.partition).required()
    opened = writer.produce(bench.partition, "open").required().offset
    last = other.produce(bench.partition, "after").required().offset
    yield offset_is("the LSO holds where a transaction is open", bench.lso(), opened, what="LSO")
    yield given("a read_committed consumer goes no further", bench.shown(), "before")
    writer.end(commit=True).required()
    moved = bench.settled()
    yield Observation(
        expected="the LSO moves once the transaction has ended",
        seen=f"LSO {bench.lso()} of {bench.high_watermark()}",
        holds=moved and bench.lso() > last,
    )
    found = bench.shown()
    yield given("a read_committed consumer goes on", found, "before", "open", "after")


def _fencing(bench: Bench) -> Iterator[Observation]:
    group = bench.group()
    old = bench.producer()
    old.begin(bench.partition).required()
    old.produce(bench.partition, "old").required()
    new = bench.producer()
    yield Observation(
        expected="a second InitProducerId gives a later epoch of the same producer",
        seen=f"producer {new.producer_id} epoch {new.epoch} after {old.producer_id}/{old.epoch}",
        holds=new.producer_id != old.producer_id or new.epoch > old.epoch,
    )
    late = "the old producer's late"
    yield refused(f"{late} record", old.produce(bench.partition, "late"), FENCED)
    yield refused(f"{late} AddPartitionsToTxn", old.begin(bench.spare), FENCED)
    yield refused(f"{late} AddOffsetsToTxn", old.add_offsets(group), FENCED)
    yield refused(f"{late} EndTxn", old.end(commit=True), FENCED)
    new.begin(bench.partition).required()
    new.produce(bench.partition, "new").required()
    new.add_offsets(group).required()
    yield refused(f"{late} offsets", old.commit_offset(group, bench.partition, 99), FENCED)
    new.commit_offset(group, bench.partition, 7).required()
    new.end(commit=True).required()
    bench.settled()
    yield given("only the new producer's record counts", bench.shown(), "new")
    yield offset_is("only the new producer's offset counts", bench.stable_offset(group), 7)


def _atomic(bench: Bench) -> Iterator[Observation]:
    group = bench.group()
    producer = bench.producer()

    def write(value: str, offset: int, *, commit: bool) -> None:
        producer.begin(bench.partition).required()
        producer.add_offsets(group).required()
        producer.produce(bench.partition, value).required()
        producer.commit_offset(group, bench.partition, offset).required()
        producer.end(commit=commit).required()
        bench.settled()

    write("aborted", 5, commit=False)
    found, offset = bench.shown(), bench.stable_offset(group)
    yield given("no output of an aborted transaction", found)
    yield offset_is("no offset of an aborted transaction", offset, NO_OFFSET)
    write("committed", 7, commit=True)
    found, offset = bench.shown(), bench.stable_offset(group)
    yield given("the output of a committed transaction", found, "committed")
    yield offset_is("the offset of a committed transaction", offset, 7)


def _idempotence(bench: Bench) -> Iterator[Observation]:
    producer = bench.producer(transactional=False)
    values = [f"record-{number}" for number in range(_IN_FLIGHT)]
    offsets = [producer.produce(bench.partition, each).required().offset for each in values]
    for sequence in (0, _IN_FLIGHT - 1):
        again = producer.produce(bench.partition, values[sequence], sequence=sequence)
        # Kafka tells the first one's offset where it still knows it.
        known = again.code == _DUPLICATE_SEQUENCE or (
            again.ok and again.offset == offsets[sequence]
        )
        yield Observation(
            expected="a record that is sent again is known",
            seen=again.short if known else again.text,
            holds=known,
        )
    gap = producer.produce(bench.partition, "gap", sequence=_IN_FLIGHT + 3)
    yield refused("a record after a gap is refused", gap, (_OUT_OF_ORDER_SEQUENCE,))
    found = bench.shown(committed=False)
    yield given("each record is in the log once", found, *values)


def _expired(bench: Bench) -> Iterator[Observation]:
    producer = bench.producer(timeout_ms=_EXPIRING_MS)
    producer.begin(bench.partition).required()
    opened = producer.produce(bench.partition, "abandoned").required().offset
    yield offset_is("the LSO holds where the transaction is open", bench.lso(), opened, what="LSO")
    started = bench.talk.clock()
    bench.talk.sleep(_EXPIRING_MS / 1000)
    ended = bench.talk.until(
        lambda: opened < bench.lso() == bench.high_watermark(), timeout_s=bench.expiry_s
    )
    yield Observation(
        expected=f"a transaction of {_EXPIRING_MS / 1000:g} s is ended by the coordinator",
        seen=f"LSO {bench.lso()} of {bench.high_watermark()} "
        f"{bench.talk.clock() - started:.1f} s after its record",
        holds=ended,
    )
    # By its epoch or by its transaction's state: a coordinator may know it by either.
    late = producer.end(commit=True)
    yield refused("its late commit is refused", late, (*FENCED, _INVALID_TXN_STATE))
    bench.settled()
    yield given("what it wrote is hidden", bench.shown())


def _unstable(bench: Bench) -> Iterator[Observation]:
    group = bench.group()
    producer = bench.producer()
    producer.add_offsets(group).required()
    producer.commit_offset(group, bench.partition, 5).required()
    try:
        pending, _ = bench.offset_fetch(group, require_stable=True)
    except NotSupportedError as error:
        yield Observation(
            expected="who asks can require stable offsets", seen=str(error), holds=False
        )
        return
    yield refused("offsets of an open transaction are told", pending, (UNSTABLE_OFFSET_COMMIT,))
    answer, offset = bench.offset_fetch(group, require_stable=False)
    answer.required()
    yield offset_is("who does not require stable ones is told those before", offset, NO_OFFSET)
    producer.end(commit=True).required()
    yield offset_is("they are told once it is committed", bench.stable_offset(group), 5)


def _members(bench: Bench) -> Iterator[Observation]:
    group, static_group = bench.group(), bench.group()
    member = bench.member(group)
    static = bench.member(static_group, instance_id="exam-1")
    producer = bench.producer()
    producer.add_offsets(group).required()
    producer.add_offsets(static_group).required()

    def commit(into: str, who: Member) -> Answer:
        return producer.commit_offset(into, bench.partition, 5, member=who)

    commit(group, member.now).required()
    commit(static_group, static.now).required()
    now, at_once = member.now, static.now
    stale = Member(member_id=now.member_id, generation=now.generation - 1)
    stranger = Member(member_id="nobody", generation=now.generation)
    twin = Member(member_id="twin", generation=at_once.generation, instance_id="exam-1")
    for who, code, answer in (
        ("a stale generation", _ILLEGAL_GENERATION, commit(group, stale)),
        ("a member that is none", _UNKNOWN_MEMBER_ID, commit(group, stranger)),
        ("a twin of a static member", _FENCED_INSTANCE_ID, commit(static_group, twin)),
    ):
        yield refused(f"offsets of {who} are refused", answer, (code,))
    yield from _evicted(bench, member, lambda who: commit(group, who))
    producer.end(commit=False)


def _evicted(
    bench: Bench, member: ExamMember, commit: Callable[[Member], Answer]
) -> Iterator[Observation]:
    """It keeps silent beyond its session: a heartbeat before that would prolong its life."""
    session_s = member.session_ms / 1000
    bench.talk.sleep(2 * session_s + _EVICTION_SLACK_S)
    late = member.heartbeat()
    yield refused(
        f"a member that is silent beyond its session of {session_s:g} s is put out",
        late,
        (_UNKNOWN_MEMBER_ID,),
    )
    yield refused(
        "its offsets are refused", commit(member.now), (_UNKNOWN_MEMBER_ID, _ILLEGAL_GENERATION)
    )


def _outside(bench: Bench) -> Iterator[Observation]:
    producer = bench.producer()
    producer.begin(bench.partition).required()
    producer.produce(bench.partition, "inside").required()
    producer.end(commit=True).required()
    bench.settled()
    late = producer.produce(bench.partition, "late")
    codes = (_INVALID_TXN_STATE, _TRANSACTION_ABORTABLE)
    yield refused("a record that comes after its transaction is refused", late, codes)
    yield Observation(
        expected="and opens none that nobody would end",
        seen=f"LSO {bench.lso()} of {bench.high_watermark()}",
        holds=bench.lso() == bench.high_watermark(),
    )


PROMISES: tuple[Promise, ...] = (
    Promise(name="aborted-hidden", title="Aborted records are hidden", check=_aborted_hidden),
    Promise(
        name="last-stable-offset",
        title="The last stable offset waits for an open transaction, and moves after it",
        check=_last_stable_offset,
    ),
    Promise(name="fencing", title="A producer's old epoch is fenced", check=_fencing),
    Promise(
        name="atomic-offsets", title="Offsets and outputs are committed together", check=_atomic
    ),
    Promise(
        name="idempotence", title="Repeated sends are suppressed, gaps refused", check=_idempotence
    ),
    Promise(name="expiry", title="Expired transactions are ended", check=_expired),
    Promise(
        name="stable-offsets", title="Offsets of an open transaction are unstable", check=_unstable
    ),
    Promise(name="members", title="Dead members are put out, stale ones refused", check=_members),
    Promise(
        name="late-records", title="A record outside its transaction is refused", check=_outside
    ),
    Promise(
        name="own-epochs",
        title="Each transaction has an epoch of its own, and refuses what is late of another",
        check=own_epochs,
    ),
)
