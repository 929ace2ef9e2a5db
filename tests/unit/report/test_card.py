from __future__ import annotations

import msgspec

from eoscheck.report.card import finding_card
from tests.unit.report import samples


def test_a_card_draws_the_batches_around_each_record_and_names_its_transaction() -> None:
    card = finding_card(samples.finding(samples.Code.LOST, 1), steps={"f1": "steps-1-1"})
    [record] = card.records
    assert (record.what, record.time) == ("input", "03:04:11.378")
    assert [(box.place, box.offsets, box.marker) for box in record.batches] == [
        ("before", "1094", "commit"),
        ("of", "1095–1096", ""),
        ("after", "1097", ""),
    ]
    assert "2 records · producer 19/0 · seq 1063" in record.batches[1].says
    assert "not transactional" in record.batches[2].says
    assert record.transaction == "committed: from 1095 to its marker at 1124 (epoch 0), 106 ms"
    assert record.writer.startswith(
        "producer 19, epoch 0, sequence 1063, transactional id eoscheck"
    )
    assert "kill of instance 1, injected at 6.3 s, healed at 8.2 s" in card.fault
    assert card.steps == "steps-1-1"
    # What is drawn is not told twice, and what is not drawn is told.
    assert [name for name, _ in card.facts] == [
        "transactional id",
        "producer id",
        "producer epoch",
        "base sequence",
    ]


def test_steps_around_the_record_itself_are_found_where_no_fault_is_named() -> None:
    finding = msgspec.structs.replace(samples.finding(samples.Code.DUPLICATE, 1), evidence={})
    record = f"{finding.topic}/{finding.partition}@{finding.offsets[0]}"
    assert finding_card(finding, steps={record: "here"}).steps == "here"
    assert finding_card(finding, steps={}).steps == ""


def test_evidence_of_another_shape_is_words() -> None:
    evidence = {"inputs": [], "fault": "kill-1", "at": [{"at": 7}], "copies": [{"at": "t-0@7"}]}
    finding = msgspec.structs.replace(
        samples.finding(samples.Code.DUPLICATE, 1),
        evidence={**evidence, "copies": [{"at": "t-0@7", "batches": "none", "transaction": None}]},
    )
    card = finding_card(finding, steps={})
    assert dict(card.facts) == {"inputs": ["none"], "fault": ["kill-1"], "at": ["at 7"]}
    [record] = card.records
    assert (record.what, record.at, record.batches) == ("copy", "t-0@7", [])
    assert record.rest == [("batches", ["none"]), ("transaction", ["none"])]


def test_neighbours_of_one_batch_are_drawn_once() -> None:
    [record] = samples.EVIDENCE["inputs"]  # type: ignore[misc]
    topic = "payments-0"
    neighbours = [{**record, "at": f"{topic}@{offset}"} for offset in (7, 8, 9)]
    elsewhere = {**record, "at": "payments-1@7"}
    bare = [{"at": "receipts-0@1"}, {"at": "receipts-0@2"}]
    finding = msgspec.structs.replace(
        samples.finding(samples.Code.LOST, 1),
        evidence={"inputs": [*neighbours, elsewhere], "copies": bare},
    )
    card = finding_card(finding, steps={})
    assert [each.at for each in card.records] == [
        "payments-0@7, 8, 9",
        "payments-1@7",
        "receipts-0@1",
        "receipts-0@2",
    ]
