"""A topology is plain data, can be printed, and refuses what cannot work."""

from __future__ import annotations

import pytest

from reference_app.payments.topology import payments_topology
from reference_app.streams.context import build_steps
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.serde import STRING
from reference_app.streams.topology import (
    Context,
    KeyValueStore,
    Processor,
    Sink,
    Source,
    Step,
    Topology,
)

SOURCE = Source("in", STRING, STRING)
STORE = KeyValueStore("store", STRING, STRING)
SINK = Sink("out", STRING, STRING)


def idle(context: Context) -> Step:
    return lambda *_: None


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


def test_a_processor_gets_only_what_it_declares() -> None:
    def greedy(context: Context) -> Step:
        context.sink(SINK)
        return idle(context)

    topology = Topology("app", SOURCE, (Processor("greedy", greedy),))
    with pytest.raises(LookupError, match="'greedy' does not declare 'out'"):
        build_steps(topology, partition=0, stores={}, send=lambda *_: None)
