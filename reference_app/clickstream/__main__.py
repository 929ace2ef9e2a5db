"""`python -m reference_app.clickstream`: views by key, at least once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import click

from reference_app.clickstream.keys import CountedBy, each_key, in_buckets, sampled
from reference_app.clickstream.views import views_topology
from reference_app.launch import EXIT_CODES, app_options, launch

_EXAMPLE = """
\b
Example:
  python -m reference_app.clickstream --bootstrap-server localhost:9092 --state-dir ./state-1
"""


def _share(_: click.Context, __: click.Parameter, value: str | None) -> Fraction | None:
    if value is None:
        return None
    try:
        share = Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"{value!r} is no fraction: give one such as 1/64") from None
    if not 0 < share <= 1:
        raise click.BadParameter(f"{value} is not above 0 and at most 1")
    return share


@click.command(
    epilog=_EXAMPLE + EXIT_CODES,
    context_settings={
        "max_content_width": 100,
        "default_map": {"processing_guarantee": "at_least_once"},
    },
)
@click.option(
    "--input",
    "clicks",
    default="clicks",
    show_default=True,
    help="Topic of clicks; value: JSON with event_id, user, url, time_ms.",
)
@click.option(
    "--output",
    "page_views",
    default="page-views",
    show_default=True,
    help="Topic of clicks with the running count of their key.",
)
@click.option(
    "--key-buckets",
    type=click.IntRange(min=1),
    metavar="N",
    help="Count by N buckets of keys in each partition: bounds the state.",
)
@click.option(
    "--key-sample",
    callback=_share,
    metavar="1/N",
    help="Count this share of the keys, always the same ones, and leave out the others.",
)
@app_options(application_id="clickstream")
def main(
    clicks: str,
    page_views: str,
    key_buckets: int | None,
    key_sample: Fraction | None,
    **app: Any,
) -> None:
    """Count the views of each key (store `views`), and write each click with the running count.

    At-least-once unless told otherwise: after a crash some views are written twice and counted
    twice. `python -m reference_app.clickstream.downstream` has each of them once.
    """
    topology = views_topology(
        clicks=clicks, page_views=page_views, counted_by=_counted_by(key_buckets, key_sample)
    )
    launch(topology, **app)


def _counted_by(buckets: int | None, share: Fraction | None) -> CountedBy:
    if buckets is not None and share is not None:
        raise click.UsageError("--key-buckets and --key-sample exclude each other: give one")
    if buckets is not None:
        return in_buckets(buckets)
    return each_key if share is None else sampled(share)


if __name__ == "__main__":
    main(prog_name="python -m reference_app.clickstream")
