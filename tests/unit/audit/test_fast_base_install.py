"""What the base install does without numba, cramjam and crc32c."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eoscheck.audit.readers import fast_plan
from eoscheck.audit.rows import digests
from eoscheck.audit.rows.block import Wanted
from eoscheck.audit.rows.digests import digest_all

_HEAVY = ("numba", "llvmlite", "cramjam", "crc32c")


@pytest.mark.thorough
def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import eoscheck.audit.readers.fast, eoscheck.audit.rows.digests\n"
        "import eoscheck.cluster.raw_log, sys\n"
        f"print([name for name in {_HEAVY[:3]!r} if name in sys.modules])"  # not kafka-python's
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.thorough
def test_batches_and_records_are_read_without_them() -> None:
    code = f"""
import sys
for name in {_HEAVY!r}:
    sys.modules[name] = None  # importing it fails

import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {_HEAVY!r} else found(name, *rest)

from eoscheck.audit.rows.block import Wanted
from eoscheck.audit.rows.digests import digest_all
from eoscheck.audit.readers.fast import supported
from eoscheck.logformat import checks_crc, decompresses, read_batches, read_records

data = bytes.fromhex({_one_batch().hex()!r})
batches = read_batches(data)
print(len(batches), batches.intact.all(), read_records(data, batches, 0)[0].key)
print(checks_crc(), decompresses(), supported(Wanted(identity="key")))
print(len(digest_all([b"a", b"b"]).low))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:3] == ["1 True b'k'", "False False False", "2"]


def test_without_numba_text_is_digested_by_blake2b(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_compiled", lambda: None)
    found = digest_all([b"a", b"b", b"a", b""])
    rows = list(zip(found.low.tolist(), found.high.tolist(), strict=True))
    assert rows[0] == rows[2]
    assert len(set(rows)) == 3
    assert all(high != 0 and (low, high) != (-1, -1) for low, high in rows)


def test_without_the_extra_the_client_reader_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast_plan.supported(Wanted(identity="key"))
    monkeypatch.setattr(fast_plan, "compiles", lambda: False)
    assert not fast_plan.supported(Wanted(identity="key"))


def _one_batch() -> bytes:
    from tests.unit.logformat.wire import batch

    return batch()
