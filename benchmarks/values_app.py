"""`python -m benchmarks.values_app`: keeps the last value of each key, as bytes.

What restoring costs, at any size of value; the Java peer has the same topology (ValuesTopology).
"""

from __future__ import annotations

from typing import Any

import click
from confluent_kafka import Message

from reference_app.launch import app_options, launch
from reference_app.streams import Context, KeyValueStore, Processor, Source, Step, Topology
from reference_app.streams.serde import Serde


def _same(data: bytes) -> bytes:
    return data


BYTES: Serde[bytes] = Serde(encode=_same, decode=_same)
VALUES: KeyValueStore[bytes, bytes] = KeyValueStore("values", BYTES, BYTES)


def _keep(context: Context) -> Step:
    values = context.store(VALUES)

    def step(key: bytes, value: bytes, _message: Message) -> None:
        values.put(key, value)

    return step


@click.command()
@click.option("--input", "values", default="values", show_default=True)
@app_options(application_id="values")
def main(values: str, **app: Any) -> None:
    """Keep the last value of each key of a topic."""
    processor = Processor("keep", _keep, stores=(VALUES,))
    launch(Topology("values", Source(values, BYTES, BYTES), (processor,)), **app)


if __name__ == "__main__":
    main()
