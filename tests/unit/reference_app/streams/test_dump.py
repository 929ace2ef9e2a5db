"""A dump tells what is durable, changes nothing, and says clearly what it cannot find."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from reference_app.launch import app_options, launch
from reference_app.streams.directory import StateDirectory
from reference_app.streams.serde import STRING
from reference_app.streams.store import Position, RocksStore
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.topology import (
    KeyValueStore,
    Processor,
    Source,
    TimeWindows,
    Topology,
    WindowStore,
)
from reference_app.streams.windows import WindowedStore

STORES = (
    KeyValueStore("balances", STRING, STRING),
    WindowStore("counts", STRING, STRING, TimeWindows(60_000)),
)
TOPOLOGY = Topology(
    "app",
    Source("in", STRING, STRING, timestamp=lambda *_: 0),
    (Processor("one", lambda _: lambda *_: None, stores=STORES),),
)


@click.command()
@app_options(application_id="app")
def main(**options: object) -> None:
    launch(TOPOLOGY, **options)  # type: ignore[arg-type]


def dump(folder: Path, store: str) -> Result:
    return CliRunner().invoke(main, ["--state-dir", str(folder), "--dump-store", store])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two partitions of balances, one of counts; each with a write that was never committed."""
    with StateDirectory(tmp_path, "app") as directory:
        for partition in (10, 2):
            path = directory.store_path(partition, "balances")
            balances = RocksStore(path, key=STRING, value=STRING)
            balances.put("a", f"of {partition}")
            balances.commit(Position("topic-id", partition + 5, 0.0))
            balances.put("b", "uncommitted")
            balances.close()
        counts = WindowedStore(
            directory.store_path(2, "counts"), key=STRING, value=STRING, retention_ms=60_000
        )
        counts.follow(StreamTime())
        counts.put((60_000, "a"), "3")
        counts.commit(Position("topic-id", 4, 0.0))
        counts.close()
    return tmp_path


def test_each_partition_is_headed_by_the_changelog_offset_it_is_of(folder: Path) -> None:
    result = dump(folder, "balances")
    assert result.exit_code == 0, result.output
    assert [json.loads(line) for line in result.output.splitlines()] == [
        {"partition": 2, "changelog": "app-balances-changelog", "offset": 7},
        {"partition": 2, "key": "a", "value": "of 2"},
        {"partition": 10, "changelog": "app-balances-changelog", "offset": 15},
        {"partition": 10, "key": "a", "value": "of 10"},
    ]


def test_windows_are_told_by_their_start(folder: Path) -> None:
    assert [json.loads(line) for line in dump(folder, "counts").output.splitlines()] == [
        {"partition": 2, "changelog": "app-counts-changelog", "offset": 4},
        {"partition": 2, "key": "a", "value": "3", "window": 60_000},
    ]


def test_an_unknown_store_is_one_line_with_the_nearest_name(folder: Path) -> None:
    result = dump(folder, "balance")
    assert result.exit_code == 2
    assert result.output == "Error: there is no store 'balance': did you mean 'balances'?\n"


@pytest.mark.thorough
def test_a_directory_in_use_is_left_alone(folder: Path) -> None:
    with StateDirectory(folder, "app"):
        result = dump(folder, "balances")
    assert result.exit_code == 2
    assert "is in use by another process" in result.output


def test_a_directory_without_state_is_not_made(tmp_path: Path) -> None:
    result = dump(tmp_path / "typo", "balances")
    assert result.exit_code == 2
    assert "no state of 'app'" in result.output
    assert not (tmp_path / "typo").exists()


def test_a_damaged_store_is_told_and_not_wiped(folder: Path) -> None:
    path = folder / "app" / "2" / "balances"
    (path / "CURRENT").write_text("MANIFEST-999999\n")
    before = sorted(path.iterdir())
    result = dump(folder, "balances")
    assert result.exit_code == 2
    assert "cannot be read" in result.output
    assert sorted(path.iterdir()) == before
