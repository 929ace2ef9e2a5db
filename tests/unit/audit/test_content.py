"""Records and the seals that the load put on them."""

from __future__ import annotations

import numpy as np
import pytest

from eoscheck.audit.checks.content import Contents, Flaw, flaw_column, flaws
from eoscheck.audit.findings import Code
from eoscheck.audit.identity import Headers
from eoscheck.audit.rows.block import Block, Numbers
from eoscheck.audit.rows.columns import Digests, Integers
from eoscheck.load.seal import HEADER, write_seal

IN = "payments"


def sealed(key: bytes, value: bytes, destination: str = IN) -> Headers:
    return [("other", b"1"), (HEADER, write_seal(key, value, destination.encode()))]


def judged(
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    *,
    topic: str = IN,
    own: bool = True,
) -> Flaw | None:
    return flaws(key, value, headers, topic=topic, partition=3, own=own)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("destination", [IN, f"{IN}/3"])
def test_a_record_as_it_was_written_is_silent(destination: str, own: bool) -> None:
    assert judged(b"k", b"v", sealed(b"k", b"v", destination), own=own) == Flaw(0)


@pytest.mark.parametrize(
    ("key", "value", "destination", "flaw"),
    [
        (b"K", b"v", IN, Flaw.KEY),
        (None, b"v", IN, Flaw.KEY),
        (b"k", b"V", IN, Flaw.VALUE),
        (b"k", b"", IN, Flaw.VALUE),
        (b"k", None, IN, Flaw.VALUE),
        (b"v", b"k", IN, Flaw.KEY | Flaw.VALUE),
        (b"k", b"v", "refunds", Flaw.TOPIC),
        (b"k", b"v", f"{IN}/2", Flaw.PARTITION),
        (b"k", b"V", "refunds/2", Flaw.VALUE | Flaw.TOPIC | Flaw.PARTITION),
    ],
)
def test_what_is_not_as_it_was_written_is_named(
    key: bytes | None, value: bytes | None, destination: str, flaw: Flaw
) -> None:
    assert judged(key, value, sealed(b"k", b"v", destination)) == flaw


def test_a_damaged_seal_is_a_flaw_of_its_own() -> None:
    assert judged(b"k", b"v", [(HEADER, b"123")]) == Flaw.SEAL


def test_a_record_without_a_seal_is_not_judged() -> None:
    assert judged(b"k", b"v", None) is None
    assert judged(b"k", b"v", [("other", b"1")]) is None


def test_an_app_that_copies_headers_to_another_topic_is_innocent_there() -> None:
    """Its receipt bears the payment's seal: it names the payments, and fits none of it."""
    copied = sealed(b"k", b"v")
    assert judged(b"r", b"receipt", copied, topic="receipts", own=False) is None
    assert judged(b"r", b"receipt", [(HEADER, b"123")], topic="receipts", own=False) is None
    assert judged(b"k", b"v", copied, topic="receipts", own=True) == Flaw.TOPIC


def block(partition: int, offset: Integers, flaw: Numbers) -> Block:
    identity = Digests(np.zeros_like(offset), np.zeros_like(offset))
    return Block(partition=partition, offset=offset, identity=identity, columns={"seal": flaw})


def test_flaws_are_counted_and_the_first_are_shown_with_their_places() -> None:
    good, bad = (b"k", b"v", sealed(b"k", b"v")), (b"k", b"V", sealed(b"k", b"v"))
    lost: tuple[bytes, bytes, Headers] = (b"k", b"v", sealed(b"k", b"v", "refunds"))
    contents = Contents(IN, limit=2)
    for partition, rows in [(1, [good, bad]), (0, [good, (b"k", b"v", None), lost]), (1, [bad])]:
        column = flaw_column(rows, [partition] * len(rows), topic=IN)
        contents.add(block(partition, np.arange(len(rows)) + 10, column))
    checked = contents.finish()
    (found,) = checked.found
    assert (found.code, found.total) == (Code.CORRUPTED, 3)
    assert checked.counts == {"sealed_records": 5}
    first, second = found.anomalies
    assert (first.place, second.place) == ((IN, 0, 12), (IN, 1, 11))
    assert first.detail == ("by the seal that the load put on it, it was written to another topic")
    assert second.facts == {"flaws": ["value"]}


def test_a_column_of_sound_records_finds_nothing() -> None:
    contents = Contents(IN, limit=2)
    contents.add(block(0, np.arange(3), Numbers(np.zeros(3, np.int64), None)))
    checked = contents.finish()
    assert (checked.found[0].total, checked.counts) == (0, {"sealed_records": 3})
