"""The story of one offset: what is there, who wrote it, and whether a reader may see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from eoscheck.audit.forensics.neighbourhood import (
    BatchFacts,
    Neighbourhood,
    Surroundings,
    TransactionFacts,
    Window,
    facts,
)
from eoscheck.audit.rows.records import Place
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.raw_fetch import RawFetch
from eoscheck.cluster.transactional_ids import TransactionalId, TransactionalIdView
from eoscheck.cluster.transactions import ActiveProducer
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import InfrastructureError, UsageError, did_you_mean
from eoscheck.logformat import Record

_FORM = "--explain takes TOPIC/PARTITION/OFFSET, such as receipts/3/1842"
_SHOWN_BYTES = 200


class What(StrEnum):
    """What an offset holds."""

    RECORD = "record"
    MARKER = "marker"
    CONTROL = "control record"
    NOTHING = "nothing"
    BROKEN = "broken batch"
    BELOW_START = "below the log's start"
    BEYOND_END = "beyond the end"


@dataclass(frozen=True, kw_only=True)
class Content:
    """A record as text: what is no UTF-8 is shown with escapes, long ones are cut."""

    key: str | None
    value: str | None
    headers: list[tuple[str, str | None]]
    timestamp_ms: int


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A transaction that is open in the partition: the earliest holds back its readers.
    `transactional_id` is None where no coordinator knows its producer."""

    producer_id: int
    epoch: int
    open_since: int
    transactional_id: str | None
    timeout_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Of a partition: where it begins, where it ends, and up to where it may be read."""

    log_start: int
    high_watermark: int
    last_stable_offset: int


@dataclass(frozen=True, kw_only=True)
class Story:
    """Everything about one offset. `visible`: whether a `read_committed` reader is given it (None
    where that is not decided yet), and `why`. `contradiction` says where the broker's list of
    aborted transactions and the marker disagree.

    The rest is None or empty where there is nothing to tell; `not_told` says what could not be
    asked.
    """

    place: Place
    what: What
    visible: bool | None
    why: str
    ends: Ends
    batch: BatchFacts | None = None
    before: BatchFacts | None = None
    after: BatchFacts | None = None
    content: Content | None = None
    transaction: TransactionFacts | None = None
    transactional_id: TransactionalId | None = None
    contradiction: str | None = None
    holders: list[Holder] = field(default_factory=list)
    not_told: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The story in words, a line each."""
        return list(_tell(self))


def parse_place(text: str) -> Place:
    """`TOPIC/PARTITION/OFFSET`. Raises UsageError for anything else."""
    topic, *numbers = text.rsplit("/", 2)
    if not topic or len(numbers) != 2 or not all(_is_number(number) for number in numbers):
        raise UsageError(f"{text!r} is no place: {_FORM}")
    partition, offset = map(int, numbers)
    if partition > 2**31 - 1 or offset > 2**63 - 1:
        raise UsageError(f"{text!r} is no place, its numbers are too large: {_FORM}")
    return Place(topic, partition, offset)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def explain(topic: str, partition: int, offset: int, *, client_config: Mapping[str, str]) -> Story:
    """Reads some batches around the offset, and asks leader and coordinators. Read-only.

    Raises UsageError for a topic or partition that is not there, InfrastructureError where the
    cluster does not answer, or does not let us read.
    """
    place = Place(topic, partition, offset)
    with ExitStack() as stack:
        view = stack.enter_context(ClusterView(client_config))
        numbers = view.partitions(topic)
        if partition not in numbers:
            hint = did_you_mean(str(partition), [str(number) for number in numbers])
            raise UsageError(
                f"{topic} has no partition {partition}{hint}: it has {len(numbers)}, from 0"
            )
        start, end = view.log_starts(topic)[partition], view.high_watermarks(topic)[partition]
        stable = view.last_stable_offsets(topic)[partition]
        log = stack.enter_context(RawFetch(client_config))
        told = _Told(client_config, stack)
        holders = told.holders(place) if stable < end else []
        return _story(
            place,
            ends=Ends(log_start=start, high_watermark=end, last_stable_offset=stable),
            neighbourhood=Neighbourhood(log),
            told=told,
            holders=holders,
        )


def _story(
    place: Place,
    *,
    ends: Ends,
    neighbourhood: Neighbourhood,
    told: _Told,
    holders: list[Holder],
) -> Story:
    start, end, stable = ends.log_start, ends.high_watermark, ends.last_stable_offset
    if not start <= place.offset < end:
        below = place.offset < start
        return Story(
            place=place,
            what=What.BELOW_START if below else What.BEYOND_END,
            visible=False,
            why=(
                f"retention or DeleteRecords removed it: the log begins at {start}"
                if below
                else f"nothing was written there yet: the next offset is {end}"
            ),
            holders=holders,
            not_told=told.not_told,
            ends=ends,
        )
    window = neighbourhood.window(place)
    around = neighbourhood.surroundings(place)
    if window is None or around is None:
        raise InfrastructureError(
            f"{place.topic}-{place.partition} cannot be read: it takes the right READ on the topic"
        )
    record = neighbourhood.record(place)
    transaction = neighbourhood.transaction(place)
    producer_id = around.of.producer_id if around.of is not None else None
    what = _what(around, record)
    visible, why = _visible(place, what, transaction, stable=stable, told=told)
    return Story(
        place=place,
        what=what,
        visible=visible,
        why=why,
        batch=around.of,
        before=around.before,
        after=around.after,
        content=_content(record) if record is not None else None,
        transaction=transaction,
        transactional_id=told.transactional_id(producer_id) if transaction is not None else None,
        contradiction=_contradiction(
            transaction, neighbourhood.window(place, committed=True), place
        ),
        holders=holders,
        not_told=told.not_told,
        ends=ends,
    )


def _what(around: Surroundings, record: Record | None) -> What:
    batch = around.of
    if batch is None:
        return What.NOTHING
    if not batch.intact:
        return What.BROKEN
    if batch.marker is not None:
        return What.CONTROL if batch.marker == "other" else What.MARKER
    # Fewer records than offsets: compaction has been here. Else it is there, if only unreadable.
    whole = batch.records == batch.last_offset - batch.first_offset + 1
    return What.RECORD if record is not None or whole else What.NOTHING


def _visible(
    place: Place,
    what: What,
    transaction: TransactionFacts | None,
    *,
    stable: int,
    told: _Told,
) -> tuple[bool | None, str]:
    if what is What.NOTHING:
        compacted = told.compacted(place.topic)
        return False, (
            "compaction removed it: a newer record has its key, or it was aborted"
            if compacted
            else "no batch holds it, though the topic is not compacted: it was compacted before, "
            "or something between the log and this reader hides it"
        )
    if what is What.BROKEN:
        return None, "its batch is broken: a client that checks CRCs stops there"
    if what in (What.MARKER, What.CONTROL):
        return False, "control records are never given to readers"
    if transaction is not None and transaction.outcome == "aborted":
        return False, f"its transaction was aborted by the marker at {transaction.marker_offset}"
    if place.offset >= stable:
        return None, (
            f"it is not below the last stable offset {stable}: a transaction that began before it, "
            "or its own, is open"
        )
    if transaction is None:
        return True, "it was written outside any transaction"
    if transaction.outcome == "committed":
        return True, f"its transaction was committed by the marker at {transaction.marker_offset}"
    return None, f"its transaction has no marker below {transaction.looked_below}"


def _contradiction(
    transaction: TransactionFacts | None, committed: Window | None, place: Place
) -> str | None:
    """What the broker's own list says of a transaction that has ended."""
    if transaction is None or transaction.outcome is None or committed is None:
        return None
    row = committed.row(place.offset)
    if row is None or facts(committed.batches, row).marker is not None:
        return None
    given = committed.given[row]
    if given == (transaction.outcome == "committed"):
        return None
    return (
        f"its marker says {transaction.outcome}, but the broker's list of aborted transactions "
        f"{'does not name' if given else 'names'} it: a client is "
        f"{'given' if given else 'not given'} this record"
    )


def _content(record: Record) -> Content:
    return Content(
        key=_text(record.key),
        value=_text(record.value),
        headers=[(_text(name) or "", _text(content)) for name, content in record.headers],
        timestamp_ms=record.timestamp,
    )


def _text(data: bytes | None) -> str | None:
    if data is None:
        return None
    shown = data[:_SHOWN_BYTES].decode(errors="backslashreplace")
    return shown if len(data) <= _SHOWN_BYTES else f"{shown}... ({len(data)} bytes)"


class _Told:
    """What leaders, coordinators and settings tell; what they do not is noted, and no error."""

    def __init__(self, client_config: Mapping[str, str], stack: ExitStack) -> None:
        self._client_config = client_config
        self._stack = stack
        self._view: TransactionalIdView | None = None
        self.not_told: list[str] = []

    def holders(self, place: Place) -> list[Holder]:
        try:
            producers = self._transactions().producers(place.topic, place.partition)
        except InfrastructureError as error:
            self.not_told.append(f"who holds the last stable offset back: {error}")
            return []
        waiting = [each for each in producers if each.open_since is not None]
        return [
            self._holder(each) for each in sorted(waiting, key=lambda each: each.open_since or 0)
        ]

    def _holder(self, producer: ActiveProducer) -> Holder:
        known = self.transactional_id(producer.producer_id)
        assert producer.open_since is not None
        return Holder(
            producer_id=producer.producer_id,
            epoch=producer.epoch,
            open_since=producer.open_since,
            transactional_id=known.name if known is not None else None,
            timeout_ms=known.timeout_ms if known is not None else None,
        )

    def transactional_id(self, producer_id: int | None) -> TransactionalId | None:
        if producer_id is None:
            return None
        try:
            return self._transactions().known([producer_id]).get(producer_id)
        except InfrastructureError as error:
            self.not_told.append(f"the transactional id of producer {producer_id}: {error}")
            return None

    def compacted(self, topic: str) -> bool:
        try:
            return ConfigView(self._client_config).compacted(topic)
        except InfrastructureError as error:
            self.not_told.append(f"whether {topic} is compacted: {error}")
            return False

    def _transactions(self) -> TransactionalIdView:
        if self._view is None:
            self._view = self._stack.enter_context(TransactionalIdView(self._client_config))
        return self._view


def _tell(story: Story) -> Iterator[str]:
    yield f"{story.place}: {_headline(story)}"
    if story.content is not None:
        yield from _tell_content(story.content)
    seen = {True: "is given it", False: "is not given it", None: "is not given it yet"}
    yield f"a read_committed reader {seen[story.visible]}: {story.why}"
    if story.contradiction is not None:
        yield f"CONTRADICTION: {story.contradiction}"
    for name, batch in (
        ("batch", story.batch),
        ("batch before", story.before),
        ("batch after", story.after),
    ):
        if batch is not None:
            yield f"{name}: {_batch(batch)}"
    if story.transaction is not None:
        yield from _tell_transaction(story.transaction, story.transactional_id)
    ends = story.ends
    yield (
        f"partition: begins at {ends.log_start}, last stable offset {ends.last_stable_offset}, "
        f"high watermark {ends.high_watermark}"
    )
    for number, holder in enumerate(story.holders):
        yield _holder_line(holder, first=number == 0)
    for missing in story.not_told:
        yield f"not told: {missing}"


def _headline(story: Story) -> str:
    if story.what is What.MARKER and story.batch is not None:
        return f"the {story.batch.marker} marker of producer {story.batch.producer_id}"
    return {
        What.RECORD: "a record",
        What.CONTROL: "a control record that ends no transaction",
        What.NOTHING: "nothing is there (any more)",
        What.BROKEN: "in a broken batch",
        What.BELOW_START: "below the start of the log",
        What.BEYOND_END: "beyond the end of the log",
    }.get(story.what, str(story.what))


def _tell_content(content: Content) -> Iterator[str]:
    yield f"key {_quoted(content.key)}, value {_quoted(content.value)}"
    for name, value in content.headers:
        yield f"header {name}: {_quoted(value)}"
    yield f"time-stamp {_readable(content.timestamp_ms)}"


def _quoted(text: str | None) -> str:
    return "null" if text is None else repr(text)


def _batch(batch: BatchFacts) -> str:
    parts = [f"offsets {batch.first_offset} to {batch.last_offset}"]
    if batch.marker is None:
        parts.append(f"{batch.records} record{'s' if batch.records != 1 else ''}")
    else:
        parts.append("control record" if batch.marker == "other" else f"{batch.marker} marker")
    if batch.producer_id is not None:
        parts.append(f"producer {batch.producer_id} epoch {batch.epoch}")
        if batch.marker is None:
            parts.append(f"sequence {batch.base_sequence}")
    if batch.marker is None:
        parts.append("transactional" if batch.transactional else "not transactional")
    if not batch.intact:
        parts.append("BROKEN")
    return ", ".join([*parts, _readable(batch.time_ms)])


def _tell_transaction(transaction: TransactionFacts, name: TransactionalId | None) -> Iterator[str]:
    who = f"producer {transaction.producer_id} epoch {transaction.epoch}"
    if name is not None:
        who = f"{name.name!r} ({who}, time-out {name.timeout_ms} ms)"
    begin = (
        "further back than was looked"
        if transaction.first_offset is None
        else f"{transaction.first_offset} ({_readable(transaction.begin_ms)})"
    )
    if transaction.begins_at_log_start:
        begin += ", or before the log's start"
    if transaction.marker_offset is None:
        end = f"no marker below {transaction.looked_below}"
    else:
        end = (
            f"{transaction.outcome} at {transaction.marker_offset} "
            f"({_readable(transaction.end_ms)}), marker epoch {transaction.marker_epoch}"
        )
    yield f"transaction of {who}: begins at {begin}; {end}"


def _holder_line(holder: Holder, *, first: bool) -> str:
    who = (
        f"{holder.transactional_id!r}, time-out {holder.timeout_ms} ms"
        if holder.transactional_id is not None
        else "no coordinator knows it"
    )
    what = "holds the last stable offset" if first else "open as well"
    return (
        f"{what}: producer {holder.producer_id} epoch {holder.epoch} ({who}), "
        f"open since offset {holder.open_since}"
    )


def _readable(timestamp_ms: int | None) -> str:
    if timestamp_ms is None or timestamp_ms < 0:
        return "no time-stamp"
    try:
        moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # a producer may write any number
        return f"time-stamp {timestamp_ms}"
    return moment.isoformat(timespec="milliseconds")
