"""A topology is plain data, can be printed, and refuses what cannot work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reference_app.payments.topology import payments_topology
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.serde import STRING
from reference_app.streams.topology import (
    Context,
    KeyValueStore,
    Processor,
    Source,
    Step,
    TimeWindows,
    Topology,
    WindowStore,
)

SOURCE = Source("in", STRING, STRING)
STORE = KeyValueStore("store", STRING, STRING)


TIMED = Source("in", STRING, STRING, timestamp=lambda value, _: int(value))
WINDOWS = WindowStore("counts", STRING, STRING, TimeWindows(60_000, grace_ms=10_000))


def idle(context: Context) -> Step:
    return lambda *_: None


def windowing() -> Processor:
    return Processor("count", idle, stores=(WINDOWS,))


def test_the_payments_topology_reads_as_it_runs() -> None:
    assert payments_topology().describe() == (
        "Topology: payments\n"
        "  Source: payments\n"
        "    --> settle\n"
        "  Processor: settle (stores: [balances])\n"
        "    --> receipts\n"
        "    <-- payments\n"
        "  Sink: receipts\n"
        "    <-- settle"
    )


def test_a_store_belongs_to_one_processor() -> None:
    processors = tuple(Processor(name, idle, stores=(STORE,)) for name in ("one", "two"))
    with pytest.raises(ConfigurationError, match="'store' belongs to both 'one' and 'two'"):
        Topology("app", SOURCE, processors)


def test_a_topology_without_a_processor_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no processor"):
        Topology("app", SOURCE, ())


def test_the_windows_of_a_time_are_kafkas() -> None:
    """As in TimeWindowTest and HoppingWindowsTest: aligned to 0, none before it, end excluded."""
    tumbling, hopping = TimeWindows(10), TimeWindows(12, advance_ms=5)
    assert [tumbling.starts(at) for at in (0, 9, 10)] == [[0], [0], [10]]
    assert hopping.starts(3) == [0]
    assert hopping.starts(11) == [0, 5, 10]
    assert hopping.starts(21) == [10, 15, 20]
    assert hopping.starts(22) == [15, 20]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: TimeWindows(0), "size_ms must be above 0"),
        (lambda: TimeWindows(10, advance_ms=0), "advance_ms must be above 0"),
        (lambda: TimeWindows(10, advance_ms=11), r"at most size_ms \(10\)"),
        (lambda: TimeWindows(10, grace_ms=-1), "grace_ms must not be below 0"),
        (
            lambda: WindowStore("w", STRING, STRING, TimeWindows(10, grace_ms=5), retention_ms=14),
            r"'w' keeps windows for 14 ms: .* \(15\)",
        ),
        (lambda: Topology("app", SOURCE, (windowing(),)), "give Source a timestamp"),
        (
            lambda: Topology("app", SOURCE, (Processor("one", idle, stores=(STORE, STORE)),)),
            "'one' has two stores 'store'",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(
    wrong: Callable[[], object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        wrong()


def test_windows_are_kept_as_long_as_they_take_records_by_default() -> None:
    assert WINDOWS.kept_ms == 70_000


def test_window_stores_are_described_with_their_times() -> None:
    text = Topology("app", TIMED, (windowing(),)).describe()
    assert (
        "stores: [counts (windows of 60000 ms every 60000 ms, grace 10000 ms, kept 70000 ms)]"
    ) in text
