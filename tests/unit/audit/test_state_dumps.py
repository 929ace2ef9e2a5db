"""A store's dump, line by line: what is read, and what is refused with the line's number."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eoscheck.audit.checks.state import check_tables
from eoscheck.audit.oracles.dumps import Dump, DumpBlock
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.digests import digest_values
from eoscheck.audit.rows.records import Place
from eoscheck.errors import UsageError
from tests.unit.audit.tables import Put, table

Write = Callable[..., Dump]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*lines: str, end: str = "\n", window: str | None = None) -> Dump:
        path = tmp_path / "store.ndjson"
        path.write_text("\n".join(lines) + end)
        return Dump(path=path, window=window)

    return write


def read(dump: Dump) -> DumpBlock:
    (block,) = dump.blocks()
    return block


def refusal(dump: Dump) -> str:
    with pytest.raises(UsageError) as refused:
        list(dump.blocks())
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_text_stands_for_itself_and_all_other_json_for_its_own_bytes(write: Write) -> None:
    block = read(
        write(
            '{"key": "a", "value": "text"}',
            '{"key": "b", "value": {"balance": 7, "at": [1, 2]}}',
            '{"key": "c", "value": 17}',
            '{"key": {"base64": "/wA="}, "value": {"base64": "AAE="}}',
            '{"key": "e", "value": null}',
            '{"key": 17, "value": ""}',
        )
    )
    expected = [b"text", b'{"balance":7,"at":[1,2]}', b"17", b"\x00\x01", None, b""]
    assert block.value.low.tolist() == digest_values(expected).low.tolist()
    names, _known = encode(["a", "b", "c", "0xff00", "e", 17])
    assert block.key.low.tolist() == names.low.tolist()
    assert block.partition.tolist() == [-1] * 6


def test_what_the_reference_app_prints_is_a_dump(write: Write) -> None:
    dump = write(
        '{"partition":2,"changelog":"app-balances-changelog","offset":7}',
        '{"partition":2,"key":"a","value":{"balance":7}}',
        '{"partition":10,"changelog":"app-balances-changelog","offset":null}',
    )
    block = read(dump)
    assert block.partition.tolist() == [2]
    assert dump.below == {2: 7, 10: 0}
    assert dump.changelogs == {"app-balances-changelog"}


def test_its_windows_become_the_changelogs_keys(write: Write) -> None:
    dump = write(
        '{"partition":0,"changelog":"c","offset":4}',
        '{"partition":0,"key":"a","value":3,"window":60000}',
        '{"partition":0,"key":"b","value":3,"window":120000}',
        window="prefix",
    )
    block = read(dump)
    assert block.window is not None
    assert block.window.value.tolist() == [60_000, 120_000]
    raw = (60_000).to_bytes(8, "big") + b"a"
    assert block.key.low[0] == encode([f"0x{raw.hex()}"])[0].low[0]
    assert dump.oldest == {0: 60_000}


def test_whole_keys_say_their_window_themselves(write: Write) -> None:
    raw = b"a" + (60_000).to_bytes(8, "big") + bytes(4)
    line = f'{{"key": {{"base64": "{base64.b64encode(raw).decode()}"}}, "value": 1}}'
    with_window = '{"key": "a", "value": 1, "window": 60000}'
    block = read(write(line, with_window, window="suffix"))
    assert block.window is not None
    assert block.window.value.tolist() == [60_000, 60_000]
    assert block.key.low[0] == block.key.low[1]


def test_stream_time_may_be_stated_for_a_partition_or_for_all(write: Write) -> None:
    dump = write(
        '{"stream_time_ms": 5000}',
        '{"partition": 0, "stream_time_ms": 7000}',
        '{"partition": 0, "key": "a", "value": 1}',
    )
    read(dump)
    assert dump.stream_time_ms == {-1: 5000, 0: 7000}


def test_the_key_of_an_entry_is_found_again_by_its_place(write: Write) -> None:
    dump = write('{"key": "ä", "value": 1}', "", '{"key": "b", "value": 2}')
    block = read(dump)
    assert [dump.key_at(int(at)) for at in block.position] == ["ä", "b"]


def test_a_dump_is_compared_partition_by_partition_as_of_its_offsets(write: Write) -> None:
    found = write(
        '{"partition": 1, "offset": 1}',
        '{"partition": 1, "key": "c", "value": 5}',
        '{"partition": 0, "offset": 2}',
        '{"partition": 0, "key": "a", "value": 2}',
        '{"partition": 0, "key": "x", "value": 1}',
    )
    changelog = table("log", [Put(0, 0, "a", "2"), Put(1, 0, "c", "4"), Put(1, 1, "c", "5")])
    stored = found.table(read(found))
    checked = check_tables(changelog, [stored], compacted=False, limit=10)
    assert {(each.place, each.identity) for each in checked.found[0].anomalies} == {
        (Place("log", 1, 0), None),
        (Place("log", 0, -1), "x"),
    }


def test_a_long_dump_comes_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "long.ndjson"
    path.write_text("".join(f'{{"key": "k{n}", "value": {n}}}\n' for n in range(45_000)))
    dump = Dump(path=path)
    sizes = [len(block) for block in dump.blocks()]
    assert sizes == [20_000, 20_000, 5_000]
    assert dump.entries == 45_000


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"key": "a", "value": 1}', '{"key": "b", "va'], "line 2"),
        (['{"key": "a"}'], "line 1 (.*): it has no value"),
        (['{"value": 1}'], "it has no key"),
        (["[1, 2]"], "line 1"),
        (['{"key": "a", "value": 1, "widow": 5}'], "widow"),
        (['{"key": null, "value": 1}'], "its key is null"),
        (['{"key": {"base64": "?"}, "value": 1}'], "its base64 is none"),
        (['{"partition": 0}', '{"partition": 0}'], "line 2 .*dumped twice"),
        (['{"partition": 3, "key": "a", "value": 1}'], "no line .*partition.* before it"),
        (['{"partition": 0}', '{"key": "a", "value": 1}'], "line 2 .*no partition"),
        (['{"key": "a", "value": 1}', '{"partition": 0}'], "line 2 .*no partition"),
        (['{"offset": 5}'], "needs its partition"),
        (['{"key": "a", "value": 1, "window": 5}'], "it has a window"),
        (['{"key": "a", "value": 1, "offset": 5}'], "a line of their own"),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_its_number(
    write: Write, lines: list[str], message: str
) -> None:
    assert re.search(message, refusal(write(*lines)))


def test_a_dump_that_was_cut_off_is_refused_as_such(write: Write) -> None:
    assert "line 2" in refusal(write('{"key": "a", "value": 1}', '{"key": "b', end=""))
    assert "cut off" in refusal(write('{"key": "a", "value": 1}', '{"key": "b', end=""))


def test_an_empty_file_is_no_dump_and_an_empty_store_is(write: Write, tmp_path: Path) -> None:
    assert "is empty" in refusal(write("", end=""))
    assert list(write('{"partition": 0}').blocks()) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nothing.ndjson" in refusal(Dump(path=tmp_path / "nothing.ndjson"))
