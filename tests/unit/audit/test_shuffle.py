"""Rows come back from a shuffle by bucket, as they came, wherever they were kept."""

from __future__ import annotations

import numpy as np
import pytest

from eoscheck.audit.rows import shuffle
from eoscheck.audit.rows.shuffle import Budget, Shuffle


@pytest.mark.parametrize("held_bytes", [0, 20_000, 10**9])
@pytest.mark.parametrize("buckets", [1, 2, 64])
def test_a_bucket_gives_its_rows_in_the_order_in_which_they_came(
    held_bytes: int, buckets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On disk, in memory, and half of each; columns of one value, narrow, wide, negative, flags."""
    monkeypatch.setattr(shuffle, "_FLUSH_ROWS", 1000)
    chance = np.random.default_rng(5)
    rows = 7_777
    bucket = chance.integers(0, buckets, rows).astype(np.uint16)
    columns = {
        "constant": np.full(rows, 7, dtype=np.int64),
        "narrow": np.arange(rows) + 2**40,
        "wide": chance.integers(-(2**63), 2**63 - 1, rows),
        "negative": -np.arange(rows, dtype=np.int32),
        "flag": chance.random(rows) < 0.5,
    }
    with Budget(rows_bytes=held_bytes, shard_rows=1) as budget:
        shuffled = Shuffle(buckets=buckets, budget=budget)
        for start in range(0, rows, 300):
            part = slice(start, start + 300)
            shuffled.add(bucket[part], {name: column[part] for name, column in columns.items()})
        for number in range(buckets):
            found, mine = shuffled.read(number), bucket == number
            assert shuffled.rows(number) == mine.sum()
            for name, column in columns.items():
                assert found[name].dtype == column.dtype
                assert (found[name] == column[mine]).all(), name


def test_what_is_cleared_gives_its_room_back() -> None:
    with Budget(rows_bytes=100_000, shard_rows=1) as budget:
        shuffled = Shuffle(buckets=2, budget=budget)
        shuffled.add(np.zeros(1000, dtype=np.uint16), {"wide": np.arange(1000) << 40})
        assert shuffled.rows(0) == 1000
        assert budget.free_bytes < 100_000
        shuffled.clear()
        assert budget.free_bytes == 100_000
        assert len(shuffled.read(0)["wide"]) == 0


def test_the_room_taken_does_not_grow_with_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred million rows go through hundreds of chunks to hundreds of buckets: an object for
    each bucket of each chunk would take more memory than the rows."""
    monkeypatch.setattr(shuffle, "_FLUSH_ROWS", 1000)
    with Budget(rows_bytes=0, shard_rows=1) as budget:
        shuffled = Shuffle(buckets=512, budget=budget)
        for _ in range(20):
            shuffled.add(np.arange(1000, dtype=np.uint16) % 512, {"n": np.arange(1000)})
        assert shuffled.rows(0) == 40
        assert len(shuffled._chunks) == 20
