"""A finding as a card: its records with their batches, the transaction, the fault, the steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeGuard

from eoscheck.audit.findings import Finding
from eoscheck.report import numbers
from eoscheck.report.evidence import label, lines
from eoscheck.report.words import struck_by

_WRITER = ("producer_id", "epoch", "base_sequence", "transactional_id")
_DRAWN = frozenset({"at", "time", *_WRITER, "batches", "transaction"})


@dataclass(frozen=True, kw_only=True)
class BatchBox:
    """`place`: `before`, `of` (the record's own) or `after`; `marker`: commit, abort, or empty."""

    place: str
    offsets: str
    says: str
    marker: str


@dataclass(frozen=True, kw_only=True)
class RecordView:
    """`what` it is to the finding: a copy, an input. `at`: its place, and the offsets of its
    neighbours in the same batch. `rest`: what is not drawn, in words."""

    what: str
    at: str
    time: str
    writer: str
    batches: list[BatchBox]
    transaction: str
    rest: list[tuple[str, list[str]]]


@dataclass(frozen=True, kw_only=True)
class FindingCard:
    """`steps`: the anchor of the protocol steps around it; empty where there are none."""

    finding: Finding
    records: list[RecordView]
    facts: list[tuple[str, list[str]]]
    fault: str
    steps: str


def finding_card(finding: Finding, *, steps: Mapping[str, str]) -> FindingCard:
    """`steps`: anchors of sequences, by the fault or the record that they are around."""
    records: list[RecordView] = []
    facts: list[tuple[str, list[str]]] = []
    fault = finding.evidence.get("fault")
    for name, value in finding.evidence.items():
        if _is_records(value):
            records += _joined([_record(name, each) for each in value])
        elif name != "fault" or not _is_fault(value):
            facts.append((label(name), lines(value)))
    named = fault.get("fault_id", "") if _is_fault(fault) else ""
    record = f"{finding.topic}/{finding.partition}@{finding.offsets[0]}" if finding.offsets else ""
    return FindingCard(
        finding=finding,
        records=records,
        facts=facts,
        fault=_fault(fault) if _is_fault(fault) else "",
        steps=steps.get(named) or steps.get(record) or "",
    )


def _is_records(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(each, Mapping) and isinstance(each.get("at"), str) for each in value)
    )


def _is_fault(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and isinstance(value.get("kind"), str)


def _record(name: str, record: Mapping[str, Any]) -> RecordView:
    batches = record.get("batches")
    transaction = record.get("transaction")
    drawn = _DRAWN - {
        key
        for key, value in (("batches", batches), ("transaction", transaction))
        if not isinstance(value, Mapping)
    }
    return RecordView(
        what=_singular(name),
        at=str(record["at"]),
        time=_clock(record.get("time")),
        writer=_writer(record),
        batches=list(_boxes(batches)) if isinstance(batches, Mapping) else [],
        transaction=_transaction(transaction) if isinstance(transaction, Mapping) else "",
        rest=[(label(key), lines(value)) for key, value in record.items() if key not in drawn],
    )


def _joined(records: Sequence[RecordView]) -> Iterator[RecordView]:
    """Neighbours of one batch are told as one: `t-0@7, 8, 9`."""
    for _, group in groupby(records, key=lambda r: (_topic(r), r.writer, r.batches, r.rest)):
        first, *others = group
        offsets = [other.at.rpartition("@")[2] for other in others]
        yield replace(first, at=", ".join([first.at, *offsets])) if first.batches else first
        yield from () if first.batches else others


def _topic(record: RecordView) -> str:
    return record.at.rpartition("@")[0]


def _singular(name: str) -> str:
    return {"copies": "copy", "inputs": "input", "at": "record"}.get(name, label(name))


def _clock(time: Any) -> str:
    """The time of day: the day is the run's."""
    return str(time).partition("T")[2].removesuffix("+00:00") or ("" if time is None else str(time))


def _writer(record: Mapping[str, Any]) -> str:
    parts = []
    if record.get("producer_id") is not None:
        parts.append(f"producer {record['producer_id']}, epoch {record.get('epoch', '?')}")
    if record.get("base_sequence") is not None:
        parts.append(f"sequence {record['base_sequence']}")
    if record.get("transactional_id") is not None:
        parts.append(f"transactional id {record['transactional_id']}")
    return ", ".join(parts)


def _boxes(batches: Mapping[str, Any]) -> Iterator[BatchBox]:
    for place in ("before", "of", "after"):
        batch = batches.get(place)
        if not isinstance(batch, Mapping):
            continue
        first, last = (*batch.get("offsets", ()), "?", "?")[:2]
        marker = str(batch.get("marker") or "")
        told = [
            f"{marker} marker"
            if marker
            else numbers.plural(int(batch.get("records", 0)), "record"),
            f"producer {batch['producer_id']}/{batch.get('epoch', '?')}"
            if batch.get("producer_id") is not None
            else "no producer id",
        ]
        if batch.get("base_sequence") is not None:
            told.append(f"seq {batch['base_sequence']}")
        if not marker and not batch.get("transactional"):
            told.append("not transactional")
        yield BatchBox(
            place=place,
            offsets=str(first) if first == last else f"{first}–{last}",
            says=" · ".join(told),
            marker=marker,
        )


def _transaction(transaction: Mapping[str, Any]) -> str:
    outcome = transaction.get("outcome", "of unknown outcome")
    text = f"{outcome}: from {transaction.get('first_offset')}"
    if transaction.get("marker_offset") is not None:
        text += f" to its marker at {transaction['marker_offset']}"
        if transaction.get("marker_epoch") is not None:
            text += f" (epoch {transaction['marker_epoch']})"
    if transaction.get("duration_ms") is not None:
        text += f", {numbers.duration(transaction['duration_ms'] / 1000)}"
    return text


def _fault(fault: Mapping[str, Any]) -> str:
    struck = struck_by(
        fault["kind"], instance=fault.get("instance"), target=fault.get("target") or ""
    )
    parts = [f"{fault.get('fault_id', '')}: {struck}"]
    if fault.get("injected_s") is not None:
        parts.append(f"injected at {numbers.moment(fault['injected_s'])}")
    if fault.get("healed_s") is not None:
        parts.append(f"healed at {numbers.moment(fault['healed_s'])}")
    if fault.get("under_way") is not None:
        parts.append("under way then" if fault["under_way"] else "over by then")
    return ", ".join(parts)
