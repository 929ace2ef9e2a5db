"""Rows as a scan builds them."""

from __future__ import annotations

from eoscheck.audit.readers.evaluate import Evaluator
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.records import Misfits, Place, Records
from eoscheck.audit.rows.store import Store
from tests.unit.audit.topics import store, wanted


class Built(Evaluator):
    def __init__(self, found: Store) -> None:
        super().__init__("t", found.wanted, sink=found)
        self._found = found

    def finish(self) -> Records:
        return self._found.records(0)


def builder(**asked: str) -> Built:
    return Built(store("t", {}, wanted(**asked)))  # type: ignore[arg-type]


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
