"""`python -m reference_app.clickstream.downstream`: each page view exactly once."""

from __future__ import annotations

from typing import Any

import click

from reference_app.clickstream.unique import unique_topology
from reference_app.launch import EXIT_CODES, app_options, launch

_EXAMPLE = """
\b
Example:
  python -m reference_app.clickstream.downstream --bootstrap-server localhost:9092 \\
      --state-dir ./state-2
"""


@click.command(epilog=_EXAMPLE + EXIT_CODES, context_settings={"max_content_width": 100})
@click.option(
    "--input",
    "page_views",
    default="page-views",
    show_default=True,
    help="Topic that the clickstream app writes, with some events twice.",
)
@click.option(
    "--output",
    "unique_views",
    default="unique-views",
    show_default=True,
    help="Topic of page views, each event once.",
)
@click.option(
    "--latest",
    "latest_views",
    default="latest-views",
    show_default=True,
    help="Topic of the last view of each key, upserted: give it cleanup.policy=compact.",
)
@click.option(
    "--dedup-bound-ms",
    type=click.IntRange(min=1),
    default=600_000,
    show_default=True,
    help="How long an event id is remembered, by event time; what comes later still is dropped.",
)
@app_options(application_id="clickstream-downstream")
def main(
    page_views: str, unique_views: str, latest_views: str, dedup_bound_ms: int, **app: Any
) -> None:
    """Drop repeated events (window store `seen`), and keep the last view of each key (store
    `latest`). Exactly-once unless told otherwise.
    """
    topology = unique_topology(
        page_views=page_views,
        unique_views=unique_views,
        latest_views=latest_views,
        bound_ms=dedup_bound_ms,
    )
    launch(topology, **app)


if __name__ == "__main__":
    main(prog_name="python -m reference_app.clickstream.downstream")
