"""Two views of one topic, held against each other as its batches come by.

The client view is what a `read_committed` consumer is given: by the broker's list of aborted
transactions, or, where a real client read the records, by what that client gave. The raw view is
what the markers in the log say. Where they disagree, somebody between log and reader is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.batches.authors import Authors
from eoscheck.audit.batches.client_view import given_to_client
from eoscheck.audit.batches.figures import Figures, LongTransaction, Outcomes
from eoscheck.audit.batches.findings import Findings, transaction_facts
from eoscheck.audit.batches.markers import NEVER, Followed, Markers
from eoscheck.audit.batches.runs import Runs
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Hazard, HazardCode, TransactionStatistics, Unknown
from eoscheck.audit.rows.records import Place
from eoscheck.logformat.batches import Batches, Control

_AT_ONCE = 4096
"""Batches that are followed together: the cost is by call, not by batch."""
_PRODUCERS = 100_000


@dataclass(frozen=True, kw_only=True)
class Tenure:
    """A producer in one partition: from where to where it wrote, and its first epoch there."""

    producer_id: int
    partition: int
    first_offset: int
    last_offset: int
    first_epoch: int


@dataclass(kw_only=True)
class _Outside:
    """What was written outside transactions."""

    batches: int = 0
    records: int = 0
    first: int = -1


@dataclass(kw_only=True)
class _Partition:
    markers: Markers
    position: int = -1
    high_watermark: int = 0
    last_stable_offset: int = 0
    log_start: int = 0
    waiting: list[tuple[Batches, NDArray[np.int64], NDArray[np.int64]]] = field(
        default_factory=list
    )
    waiting_rows: int = 0
    withheld: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    given: Runs | None = None
    outside: _Outside = field(default_factory=_Outside)
    was_compacted: bool = False
    holes: int = 0
    hole_offsets: int = 0
    first_hole: str = ""
    proved_offsets: int = 0
    proved: list[Anomaly] = field(default_factory=list)
    proved_total: int = 0
    corrupt: int = 0
    old_format: int = 0
    in_doubt: int = 0
    repeated: int = 0


class RawView:
    """Follows one topic. Each partition's batches come in the order of its log, from one thread.

    Memory: one row for each producer (at most `producers` idle ones in a partition, the longest
    silent are forgotten first), two bits or so for each transaction of protocol v2, and `limit`
    anomalies of each code. `compacted` topics have holes that mean nothing. With
    `transactions_expected`, what was written outside them is a hazard.
    """

    def __init__(
        self,
        topic: str,
        *,
        limit: int,
        compacted: bool = False,
        transactions_expected: bool = False,
        authors: Authors | None = None,
        producers: int = _PRODUCERS,
        at_once: int = _AT_ONCE,
    ) -> None:
        self.topic = topic
        self._limit = limit
        self._compacted = compacted
        self._transactions_expected = transactions_expected
        self._authors = authors
        self._producers = producers
        self._at_once = at_once
        self._partitions: dict[int, _Partition] = {}
        self._findings = Findings(topic, limit=limit)
        self._figures = Figures(topic, places=10 * limit)

    def take(
        self,
        partition: int,
        batches: Batches,
        aborted: Sequence[tuple[int, int]] | NDArray[np.int64] = (),
        *,
        high_watermark: int,
        last_stable_offset: int,
        log_start: int = 0,
        old_format: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.bool_]:
        """Takes the batches of one answer, and says which of them a client is given: data whose
        CRC holds, not seen before, that the answer's `aborted` ((producer id, first offset)) or the
        client itself does not leave out. `old_format` are those that are sound, and of a format
        before 2 (`are_old_format`): not read, and not corrupt."""
        state = self._state(partition)
        state.high_watermark = high_watermark
        state.last_stable_offset = last_stable_offset
        state.log_start = max(state.log_start, log_start)
        state.withheld = np.zeros(len(batches), dtype=np.bool_)
        if not len(batches):
            return np.zeros(0, dtype=np.bool_)
        given = given_to_client(batches, aborted) & batches.intact
        if old_format is not None and old_format.any():
            state.old_format += int(old_format.sum())
            batches, given = batches[~old_format], given[~old_format]
            taken = np.zeros(len(old_format), dtype=np.bool_)
            taken[~old_format] = self._take(partition, state, batches, given)
            withheld = np.zeros(len(old_format), dtype=np.bool_)
            withheld[~old_format] = state.withheld
            state.withheld = withheld
            return taken
        return self._take(partition, state, batches, given)

    def withheld(self, partition: int) -> NDArray[np.bool_]:
        """Of the batches that were taken last: data of transactions that the client leaves out as
        aborted, for checks that look at aborted records as well."""
        return self._state(partition).withheld

    def _take(
        self, partition: int, state: _Partition, batches: Batches, given: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Of what a client is `given`, what is new."""
        known = np.where(batches.intact, batches.last_offset, -1)
        reached = np.maximum.accumulate(np.append(state.position, known))
        new = ~batches.intact | (batches.last_offset > reached[:-1])
        state.position = int(reached[-1])
        data = (batches.control == Control.DATA) & batches.intact
        state.withheld = data & new & batches.transactional & ~given
        if not new.all():
            given &= new
            batches = batches[new]
        if not len(batches):
            return given
        shown = self._shown(state, batches, given[new])
        data = (batches.control == Control.DATA) & batches.intact
        if state.given is not None:
            # Of a batch across an end of what was read, nobody knows what was asked for.
            data &= batches.base_offset >= state.given.start
            data &= batches.last_offset < state.given.stop
        hidden = np.where(data, np.maximum(batches.records - shown, 0), 0)
        state.waiting.append((batches, shown, hidden))
        state.waiting_rows += len(batches)
        if state.waiting_rows >= self._at_once:
            self._follow(partition, state)
        return given

    def delivered(self, partition: int, offsets: NDArray[np.int64]) -> None:
        """Records that a real client gave: its word takes the place of the aborted list. All of a
        partition's must be told before the first `take` of that partition."""
        state = self._state(partition)
        if state.position >= 0:
            raise ValueError(f"{self.topic}-{partition}: batches were taken already")
        state.given = state.given or Runs()
        state.given.add(offsets)

    def read_by_client(self, partition: int, *, start: int, stop: int) -> None:
        """The client read from `start` to below `stop`, if it gave anything or not."""
        state = self._state(partition)
        state.given = state.given or Runs()
        state.given.start, state.given.stop = start, stop

    def position(self, partition: int) -> int:
        """The offset after the last batch that was taken; 0 before the first."""
        return self._state(partition).position + 1

    def last_stable_offset(self, partition: int) -> int:
        """As it was told last."""
        return self._state(partition).last_stable_offset

    def waits_for_marker(self, partition: int, *, below: int) -> bool:
        """Whether a transaction that began below an offset has not ended in what was taken."""
        state = self._state(partition)
        self._follow(partition, state)
        first = state.markers.open_transactions()["first_offset"]
        return bool((first < below).any())

    def checked(self) -> Checked:
        """What was found up to now. Cheap, and may be asked for again."""
        self._settle()
        unknowns: list[Unknown] = []
        found = {each.code: each for each in self._findings.found()}
        lost = found.pop(Code.LOST_COMMIT, Found(code=Code.LOST_COMMIT, total=0, anomalies=[]))
        for number, state in sorted(self._partitions.items()):
            if not state.was_compacted:
                lost = Found(
                    code=lost.code,
                    total=lost.total + state.proved_total,
                    anomalies=[*lost.anomalies, *state.proved][: self._limit],
                )
            unknowns += self._unknowns(number, state)
        if lost.total:
            found[lost.code] = lost
        states = self._partitions.values()
        counts = {
            "repeated_batches": sum(state.repeated for state in states),
            "forgotten_producers": sum(state.markers.forgotten for state in states),
        }
        return Checked(
            found=list(found.values()),
            unknowns=unknowns,
            counts={name: number for name, number in counts.items() if number},
            hazards=self._outside() if self._transactions_expected else [],
        )

    def statistics(self) -> TransactionStatistics:
        self._settle()
        states = self._partitions.values()
        return TransactionStatistics(
            topic=self.topic,
            **self._figures.counts,
            open=sum(int(state.markers.table["open"].sum()) for state in states),
            size=self._figures.sizes.summary(),
            duration_ms=self._figures.durations.summary(),
            lso_lag=sum(max(0, s.high_watermark - s.last_stable_offset) for s in states),
        )

    @property
    def outside_records(self) -> int:
        """How many were written outside transactions."""
        self._settle()
        return sum(state.outside.records for state in self._partitions.values())

    def outcomes(self) -> Outcomes:
        """For `check_torn`, with the outcomes of the other topics."""
        self._settle()
        return self._figures.outcomes()

    def longest(self) -> list[LongTransaction]:
        """The longest committed transactions, longest first."""
        self._settle()
        return list(self._figures.longest)

    def tenures(self) -> list[Tenure]:
        """The producers that are remembered."""
        self._settle()
        return [
            Tenure(
                producer_id=int(row["producer_id"]),
                partition=number,
                first_offset=int(row["first_seen"]),
                last_offset=int(row["last_seen"]),
                first_epoch=int(row["first_epoch"]),
            )
            for number, state in sorted(self._partitions.items())
            for row in state.markers.table
        ]

    def _state(self, partition: int) -> _Partition:
        if partition not in self._partitions:
            self._partitions[partition] = _Partition(markers=Markers(producers=self._producers))
        return self._partitions[partition]

    def _shown(
        self, state: _Partition, batches: Batches, given: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """How many records of each batch the client gave."""
        if state.given is None:
            return np.where(given, batches.records, 0).astype(np.int64)
        return state.given.count(batches.base_offset, batches.last_offset)

    def _settle(self) -> None:
        for number, state in self._partitions.items():
            self._follow(number, state)

    def _follow(self, partition: int, state: _Partition) -> None:
        if not state.waiting:
            return
        batches = _joined([batches for batches, _shown, _hidden in state.waiting])
        shown = np.concatenate([shown for _batches, shown, _hidden in state.waiting])
        hidden = np.concatenate([hidden for _batches, _shown, hidden in state.waiting])
        state.waiting, state.waiting_rows = [], 0
        followed = state.markers.follow(
            batches,
            shown=shown,
            hidden=hidden,
            innocent_below=NEVER if self._compacted else state.log_start,
        )
        self._note_batches(partition, state, batches, hidden)
        self._note_followed(partition, state, batches, followed)
        self._judge(partition, state, followed.ended)
        self._figures.add(partition, followed.ended)

    def _note_batches(
        self, partition: int, state: _Partition, batches: Batches, hidden: NDArray[np.int64]
    ) -> None:
        """What a batch shows without its transaction."""
        if self._authors is not None:
            self._authors.take(partition, batches)
        data = batches.intact & (batches.control == Control.DATA)
        length = batches.last_offset - batches.base_offset + 1
        state.was_compacted |= bool((data & (batches.records < length)).any())
        plain = np.flatnonzero(data & ~batches.transactional & (batches.records > 0))
        if len(plain):
            if state.outside.first < 0:
                state.outside.first = int(batches.base_offset[plain[0]])
            state.outside.batches += len(plain)
            state.outside.records += int(batches.records[plain].sum())
        broken = np.flatnonzero(~batches.intact)
        state.corrupt += len(broken)
        self._findings.batches(
            Code.CORRUPTED,
            partition,
            batches,
            broken,
            "the batch is broken: its CRC or its header is wrong",
        )
        lost = plain[hidden[plain] > 0]
        self._findings.batches(
            Code.LOST_COMMIT,
            partition,
            batches,
            lost,
            "written outside a transaction, and not given to the client",
        )

    def _note_followed(
        self, partition: int, state: _Partition, batches: Batches, followed: Followed
    ) -> None:
        self._findings.batches(
            Code.ZOMBIE_WRITE,
            partition,
            batches,
            followed.zombies,
            "written after a batch of the same producer id with a higher epoch",
        )
        state.repeated += followed.repeated
        if followed.holes and not state.holes:
            state.first_hole = f"{followed.holes[0].first} to {followed.holes[0].last}"
        state.holes += len(followed.holes)
        state.hole_offsets += sum(hole.last - hole.first + 1 for hole in followed.holes)
        for offset, records in followed.missing:
            self._prove(partition, state, offset, records, {})

    def _prove(
        self,
        partition: int,
        state: _Partition,
        offset: int,
        records: int,
        facts: Mapping[str, Any],
    ) -> None:
        state.proved_total += 1
        state.proved_offsets += records
        if len(state.proved) < self._limit:
            state.proved.append(
                Anomaly(
                    place=Place(self.topic, partition, offset),
                    offsets=[offset],
                    detail=f"{records} committed records are not in the log as it was read: their "
                    "offsets are missing, and with them their producer's sequence numbers",
                    facts={"records": records, **facts},
                )
            )

    def _judge(self, partition: int, state: _Partition, ended: NDArray[Any]) -> None:
        """The two views of each transaction that has ended."""
        committed = ended["committed"]
        shown, hidden = ended["shown"] > 0, ended["hidden"] > 0
        differ = np.where(committed, hidden, shown)
        # Between these batches there may have been a marker.
        doubtful = ended["doubt"] > ended["missing"]
        state.in_doubt += int((differ & doubtful).sum())
        differ &= ~doubtful
        self._findings.transactions(
            Code.ABORTED_VISIBLE,
            partition,
            ended[differ & ~committed],
            "shown",
            "{shown} of {records} records of an aborted transaction were given to the client",
        )
        self._findings.transactions(
            Code.LOST_COMMIT,
            partition,
            ended[differ & committed],
            "hidden",
            "{hidden} of {records} records of a committed transaction were not given to the client",
        )
        self._findings.transactions(
            Code.ZOMBIE_WRITE,
            partition,
            ended[committed & (ended["zombies"] > 0)],
            "zombie",
            "{zombies} committed batches of a producer that a higher epoch had fenced",
        )
        gone = committed & (ended["missing"] > 0) & (ended["doubt"] == ended["missing"])
        for row in ended[gone]:
            self._prove(
                partition,
                state,
                int(row["missing_first"]),
                int(row["missing"]),
                transaction_facts(row),
            )

    def _unknowns(self, partition: int, state: _Partition) -> list[Unknown]:
        subject = f"{self.topic}-{partition}"
        reasons = []
        proved = 0 if state.was_compacted else state.proved_offsets
        if state.hole_offsets > proved:
            reasons.append(
                f"{state.hole_offsets} offsets in {state.holes} places hold nothing "
                f"({state.first_hole} first): the topic was compacted before, or something between "
                "the log and this reader hides batches"
            )
        if state.in_doubt:
            reasons.append(
                f"{state.in_doubt} transactions look different to a client, but a marker among the "
                "batches that could not be read may explain it"
            )
        if state.old_format:
            reasons.append(
                f"{state.old_format} batches are of a message format before 2, which is not read "
                "here: use --reader client"
            )
        if state.corrupt:
            reasons.append(f"the records of {state.corrupt} broken batches were not read")
        return [Unknown(subject=subject, reason=reason) for reason in reasons]

    def _outside(self) -> list[Hazard]:
        return [
            Hazard(
                code=HazardCode.NOT_TRANSACTIONAL,
                topic=self.topic,
                partition=number,
                offset=state.outside.first,
                detail=f"{state.outside.records} records in {state.outside.batches} batches of "
                f"{self.topic}-{number} were written outside a transaction, the first at offset "
                f"{state.outside.first}: is exactly-once really on?",
                facts={"records": state.outside.records, "batches": state.outside.batches},
            )
            for number, state in sorted(self._partitions.items())
            if state.outside.batches
        ]


def _joined(parts: Sequence[Batches]) -> Batches:
    if len(parts) == 1:
        return parts[0]
    return Batches(
        **{
            each.name: np.concatenate([getattr(part, each.name) for part in parts])
            for each in fields(Batches)
        }
    )
