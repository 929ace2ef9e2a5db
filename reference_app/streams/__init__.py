"""A small exactly-once stream processor on Kafka, after Kafka Streams' exactly-once v2 (KIP-447).

Describe an app as a `Topology`, run it as a `StreamsApp`; see `reference_app.payments`.
"""

from __future__ import annotations

from reference_app.streams.app import StreamsApp
from reference_app.streams.options import Guarantee, StreamsOptions
from reference_app.streams.parts import Parts
from reference_app.streams.serde import STRING, Serde, json
from reference_app.streams.topology import (
    Context,
    KeyValues,
    KeyValueStore,
    Processor,
    Sink,
    Source,
    Step,
    TimeWindows,
    Topology,
    Windowed,
    WindowStore,
)

__all__ = [
    "STRING",
    "Context",
    "Guarantee",
    "KeyValueStore",
    "KeyValues",
    "Parts",
    "Processor",
    "Serde",
    "Sink",
    "Source",
    "Step",
    "StreamsApp",
    "StreamsOptions",
    "TimeWindows",
    "Topology",
    "WindowStore",
    "Windowed",
    "json",
]
