"""Who wrote which offset."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from eoscheck.audit.batches.authors import Authors
from eoscheck.audit.checks.commits import outputs_of
from eoscheck.audit.checks.joined import join
from eoscheck.logformat.batches import Batches, Control
from tests.unit.audit.topics import INPUT, OUTPUT, line, records


def batches(*rows: tuple[int, int, int], **more: Any) -> Batches:
    """(base offset, last offset, producer id): transactional ones, unless it is -1."""
    base, last, producer = np.array(rows, dtype=np.int64).T
    columns: dict[str, Any] = {
        each.name: np.zeros(len(rows), dtype=np.int64) for each in fields(Batches)
    }
    columns |= {
        "base_offset": base,
        "last_offset": last,
        "producer_id": producer,
        "transactional": producer >= 0,
        "control": np.full(len(rows), Control.DATA),
        "intact": np.ones(len(rows), dtype=np.bool_),
    }
    return Batches(**{**columns, **more})


def of(authors: Authors, partition: int, *offsets: int) -> list[int]:
    found: list[int] = authors.of(np.full(len(offsets), partition), np.array(offsets)).tolist()
    return found


def test_each_offset_has_the_producer_of_its_batch_however_they_came() -> None:
    authors = Authors()
    authors.take(0, batches((5, 9, 7), (11, 11, 8)))
    authors.take(1, batches((0, 3, 6)))
    authors.take(0, batches((12, 20, 8), (21, 30, 7)))
    assert of(authors, 0, 4, 5, 9, 11, 12, 20, 21, 30, 31) == [-1, 7, 7, 8, 8, 8, 7, 7, -1]
    assert of(authors, 1, 0, 3, 4) == [6, 6, -1]
    assert of(authors, 2, 0) == [-1]


def test_markers_write_nothing_and_plain_batches_have_no_author() -> None:
    authors = Authors()
    control = np.array([Control.DATA, Control.COMMIT, Control.DATA])
    authors.take(0, batches((0, 0, 7), (1, 1, 9), (2, 2, -1), control=control))
    assert of(authors, 0, 0, 2) == [7, -1]


def test_more_runs_than_are_kept_leave_later_offsets_without_an_author() -> None:
    authors = Authors(most_runs=3)
    authors.take(0, batches((0, 0, 7), (1, 1, 8)))
    authors.take(0, batches((2, 2, 7), (3, 3, 8)))
    authors.take(0, batches((4, 4, 8)))
    authors.take(1, batches((0, 0, 5)))
    assert of(authors, 0, 0, 1, 2, 3, 4) == [7, 8, -1, -1, -1]
    assert of(authors, 1, 0) == [-1]


def test_outputs_are_laid_beside_the_one_input_that_they_come_from() -> None:
    joined = join(
        records(OUTPUT, {1: line(12, 10, 99, 11, 11)}),
        records(INPUT, {0: line(10, 11), 2: line(12, 13, 13)}),
    )
    authors = Authors()
    authors.take(1, batches((0, 1, 7), (2, 4, 8)))
    found = outputs_of(joined, authors)
    assert found is not None
    rows = zip(
        found.offset.tolist(),
        found.source_partition.tolist(),
        found.source_offset.tolist(),
        found.producer_id.tolist(),
        strict=True,
    )
    assert sorted(rows) == [(0, 2, 0, 7), (1, 0, 0, 7), (3, 0, 1, 8), (4, 0, 1, 8)]
    assert found.partition.tolist() == [1] * 4
    assert outputs_of(join(records(OUTPUT, {0: line(1)})), authors) is None


def test_an_output_of_an_input_that_stands_there_twice_is_left_out() -> None:
    joined = join(records(OUTPUT, {0: line(1, 2)}), records(INPUT, {0: line(1, 1, 2)}))
    found = outputs_of(joined, Authors())
    assert found is not None
    assert found.source_offset.tolist() == [2]
