"""A tiny app for tests: it counts records in windows of ten seconds, kept for a minute.

A record's value is its event time in ms, or `refuse <time>`, which is refused after it was counted.
What it writes is "<window start> <count> <stream time>".
"""

from __future__ import annotations

from typing import Any

import click
from confluent_kafka import Message

from reference_app.launch import app_options, launch
from reference_app.streams import (
    STRING,
    Context,
    Processor,
    Sink,
    Source,
    Step,
    TimeWindows,
    Topology,
    WindowStore,
    json,
)

WINDOWS = TimeWindows(10_000)
COUNTS = WindowStore("counts", STRING, json(int), WINDOWS, retention_ms=60_000)


def time_of(value: str, _: Message) -> int:
    return int(value.rpartition(" ")[2])


@click.command()
@click.option("--input", "records", required=True)
@click.option("--output", "counted", required=True)
@app_options(application_id="windows")
def main(records: str, counted: str, **app: Any) -> None:
    sink = Sink(counted, STRING, STRING)

    def count(context: Context) -> Step:
        counts = context.windows(COUNTS)
        send = context.sink(sink)

        def step(key: str, value: str, message: Message) -> None:
            for start in WINDOWS.starts(time_of(value, message)):
                number = (counts.get(key, start) or 0) + 1
                counts.put(key, start, number)
                send(key, f"{start} {number} {context.stream_time()}")
            if value.startswith("refuse"):
                raise ValueError("refused by the test")

        return step

    launch(
        Topology(
            name="windows",
            source=Source(records, STRING, STRING, timestamp=time_of),
            processors=(Processor("count", count, stores=(COUNTS,), sinks=(sink,)),),
        ),
        **app,
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.integration.reference_app.windows_app")
