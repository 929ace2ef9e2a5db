"""Files as loads: what is read, at which pace, known by what; what is refused, with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from eoscheck.audit.identity import parse
from eoscheck.errors import UsageError
from eoscheck.load import LoadSpec
from eoscheck.load.files import read_rows
from eoscheck.load.pacing import Timed
from eoscheck.load.replay import ID_HEADER, lasts_s, pacing_of, records, survey

BY_ID = parse("json:/id")
BY_HEADER = parse(f"header:{ID_HEADER}")
ROWS = [{"id": 7, "who": "a", "at": 10.0}, {"id": 8, "who": None, "at": 12.0}]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet_file(folder: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = folder / "rows.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def file_of(folder: Path, kind: str) -> Path:
    if kind == "parquet":
        return parquet_file(folder, ROWS)
    if kind == "csv":
        return write(folder, "rows.csv", "\ufeffid,who,at\r\n7,a,10.0\r\n8,,12.0\r\n")
    lines = "\n".join(msgspec.json.encode(row).decode() for row in ROWS)
    return write(folder, f"rows.{kind}", f"{lines}\n\n")


def load(path: Path, **more: Any) -> LoadSpec:
    return LoadSpec(topic="in", input_file=str(path), **more)


@pytest.mark.parametrize("kind", ["ndjson", "jsonl", "csv", "parquet"])
def test_each_kind_of_file_gives_the_same_records(tmp_path: Path, kind: str) -> None:
    spec = load(file_of(tmp_path, kind), key_column="who", time_column="at")
    made = list(records(spec, identify=BY_ID))
    assert [msgspec.json.decode(record.value) for record in made] == ROWS
    assert [(r.identity, r.key, r.at, r.headers) for r in made] == [
        (7, b"a", 10.0, ()),
        (8, None, 12.0, ()),
    ]


def test_lines_of_ndjson_are_written_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path, "x.ndjson", '{"b" : 1.50,  "id":"é"}\r\n')
    assert [row.value for row in read_rows(path)] == ['{"b" : 1.50,  "id":"é"}'.encode()]


def test_cells_that_are_no_plain_numbers_stay_text(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", 'a,b,c,d,e\n007,-12,1.5,"x,y",1e5\n')
    [row] = read_rows(path)
    assert row.columns == {"a": "007", "b": -12, "c": 1.5, "d": "x,y", "e": "1e5"}


def test_a_record_without_an_identity_gets_its_number_in_a_header(tmp_path: Path) -> None:
    made = list(records(load(file_of(tmp_path, "csv")), identify=BY_HEADER))
    assert [(r.identity, r.headers) for r in made] == [
        (0, ((ID_HEADER, b"0"),)),
        (1, ((ID_HEADER, b"1"),)),
    ]


def test_an_expression_that_fits_no_row_is_told_what_would(tmp_path: Path) -> None:
    path = write(tmp_path, "x.ndjson", '{"id":1}\n{"no":1}\n')
    with pytest.raises(UsageError, match=rf"line 2: .* header:{ID_HEADER}"):
        survey(load(path), identify=BY_ID)


def test_a_file_is_paced_by_its_rate_or_by_a_column_at_a_speed(tmp_path: Path) -> None:
    path = file_of(tmp_path, "ndjson")
    steady = load(path, rate=10)
    found = survey(steady, identify=BY_ID)
    assert found.count == 2
    assert lasts_s(steady, found) == pytest.approx(0.1)
    assert pacing_of(steady, found, start=5.0).intended(1) == pytest.approx(5.1)
    timed = load(path, time_column="at", speed=4)
    found = survey(timed, identify=BY_ID)
    assert lasts_s(timed, found) == pytest.approx(0.5)
    pacing = pacing_of(timed, found, start=5.0)
    assert isinstance(pacing, Timed)
    assert [pacing.due(now) for now in (4.9, 5.0, 5.4, 5.5, 9.0)] == [0, 1, 1, 2, 2]
    assert [pacing.intended(seq) for seq in (0, 1, 2)] == [5.0, 5.5, 5.5]


@pytest.mark.parametrize(
    "moment",
    [
        '"2026-01-01T00:00:02Z"',
        '"2026-01-01T01:00:02+01:00"',
        '"2026-01-01 00:00:02"',
        "1767225602",
        "1767225602000",
        '"1767225602"',
        "1767225602.0",
    ],
)
def test_times_may_be_written_as_people_write_them(tmp_path: Path, moment: str) -> None:
    path = write(tmp_path, "x.ndjson", f'{{"id":1,"at":{moment}}}\n')
    [record] = records(load(path, time_column="at"), identify=BY_ID)
    assert record.at == 1767225602.0


@pytest.mark.parametrize(
    ("name", "content", "more", "message"),
    [
        ("x.ndjson", '{"id":1}\n{"id":\n', {}, "line 2: not a JSON object"),
        ("x.ndjson", '{"id":1}\n[1]\n', {}, "line 2: not a JSON object"),
        ("x.ndjson", b'{"id":1}\n{"id":"\xff"}\n', {}, "line 2: not a JSON object"),
        ("x.ndjson", "\n\n", {}, "there is no record in it"),
        ("x.csv", "id,b\n1,2\n1\n", {}, "line 3: 1 columns, not 2"),
        ("x.csv", 'id,b\n1,"2\n', {}, "line 2: not CSV"),
        ("x.csv", "id,id\n1,2\n", {}, "line 1: a header with a name for each column"),
        ("x.csv", b"id\n\xff\n", {}, "not UTF-8"),
        ("x.csv", "id,who\n1,a\n", {"key_column": "whom"}, "line 2: no column 'whom' .*'who'"),
        ("x.csv", "id,at\n1,soon\n", {"time_column": "at"}, "line 2: at is no time: 'soon'"),
        ("x.csv", "id,at\n1,5\n2,4\n", {"time_column": "at"}, "record 2: at goes back by 1 s"),
        ("x.parquet", b"PAR1", {}, "not Parquet"),
        ("x.cvs", "id\n1\n", {}, "input files end in .*did you mean '.csv'"),
    ],
)
def test_what_is_no_record_is_one_line_with_its_number(
    tmp_path: Path, name: str, content: str | bytes, more: dict[str, str], message: str
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(UsageError, match=message) as raised:
        survey(load(write(tmp_path, name, content), **more), identify=BY_ID)
    assert "\n" not in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        survey(load(tmp_path / "x.csv"), identify=BY_ID)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"time_column": "at"}, "load.time_column needs load.input_file"),
        ({"key_column": "at"}, "load.key_column needs load.input_file"),
        ({"speed": 0}, "load.speed must be above 0"),
    ],
)
def test_a_load_without_a_file_has_no_columns(wrong: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LoadSpec(topic="in", **wrong)
