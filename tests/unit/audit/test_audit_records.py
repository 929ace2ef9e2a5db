"""Rows as a scan builds them."""

from __future__ import annotations

from eoscheck.audit.columns import encode
from eoscheck.audit.records import Misfits, Place, RecordsBuilder, Wanted
from eoscheck.audit.table import TableBuilder


def builder(**wanted: object) -> RecordsBuilder:
    return RecordsBuilder("t", Wanted(identity="json:/id", **wanted))  # type: ignore[arg-type]


def value(text: str) -> tuple[bytes, bytes, None]:
    return b"key", text.encode(), None


def test_rows_stand_in_the_order_of_partition_and_offset_whatever_way_they_came() -> None:
    rows = builder()
    rows.add([1, 0, 1], [5, 7, 9], [value('{"id": 1}'), value('{"id": 2}'), value('{"id": 3}')])
    rows.add([0, 1], [8, 12], [value('{"id": 4}'), value('{"id": 5}')])
    found = rows.finish()
    assert found.partition.tolist() == [0, 0, 1, 1, 1]
    assert found.offset.tolist() == [7, 8, 5, 9, 12]
    assert found.identity.low.tolist() == [2, 4, 1, 3, 5]
    assert found.place(2) == Place("t", 1, 5)


def test_a_record_handed_over_twice_by_the_client_is_one_record() -> None:
    rows = builder()
    rows.add([0, 0], [1, 2], [value('{"id": 1}'), value('{"id": 2}')])
    rows.add([0, 1], [2, 2], [value('{"id": 2}'), value('{"id": 9}')])
    found = rows.finish()
    assert list(zip(found.partition.tolist(), found.offset.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]


def test_a_record_without_an_identity_is_counted_shown_and_left_out() -> None:
    rows = builder()
    bad = [value("no json") for _ in range(7)]
    rows.add([0] * 8, list(range(8)), [*bad, value('{"id": "x"}')])
    assert rows.misfits() == [
        Misfits(expression="json:/id", count=7, first=[Place("t", 0, at) for at in range(5)])
    ]
    assert rows.unidentified == 7
    found = rows.finish()
    assert found.offset.tolist() == [7]
    assert found.identity.low.tolist() == encode(["x"])[0].low.tolist()


def test_a_record_without_key_or_amount_stays_and_is_marked() -> None:
    rows = builder(group="json:/k", number="json:/n")
    contents = ['{"id": 1, "k": "a", "n": 5}', '{"id": 2, "n": "much"}', '{"id": 3, "k": "a"}']
    rows.add([0, 0, 0], [0, 1, 2], [value(text) for text in contents])
    assert [(m.expression, m.count, m.first) for m in rows.misfits()] == [
        ("json:/k", 1, [Place("t", 0, 1)]),
        ("json:/n", 2, [Place("t", 0, 1), Place("t", 0, 2)]),
    ]
    assert rows.unidentified == 0
    found = rows.finish()
    assert found.group is not None
    assert found.number is not None
    assert found.number_known is not None
    assert found.group.known().tolist() == [True, False, True]
    assert found.number_known.tolist() == [True, False, False]
    assert found.number[0] == 5


def test_an_empty_topic_has_all_its_columns() -> None:
    found = builder(group="key", number="json:/n").finish()
    assert len(found) == 0
    assert found.group is not None
    assert found.number is not None
    assert found.number_known is not None


def test_a_table_holds_the_last_value_of_each_key_and_tells_what_does_not_fit() -> None:
    table = TableBuilder("t", result="json:/n")
    written = [
        (b"a", b'{"n": 1}'),
        (b"b", b'{"n": 2}'),
        (b"a", b'{"n": 3}'),
        (b"7", None),
        (b"c", b'{"n": "x"}'),
        (None, b'{"n": 4}'),
        (b"b", b'{"n": 1.5}'),
        (b"b", b'{"n": 6}'),
    ]
    contents = [(key, content, None) for key, content in written]
    table.add([0] * len(written), list(range(len(written))), contents)
    entries = [(e.key, e.place.offset, e.value, e.fits) for e in table.entries()]
    assert sorted(entries, key=lambda entry: entry[1]) == [
        ("a", 2, 3, True),
        (7, 3, None, True),
        ("c", 4, None, False),
        ("b", 7, 6, True),
    ]
    (misfits,) = table.misfits()
    assert [place.offset for place in misfits.first] == [4, 5, 6]
    assert table.unidentified == 1
