"""`python -m reference_app.profiles`: the newest profile of each account, and a total beside it.

State whose size the input decides: for the time that restores take, at any size of value. Input:
key = account, value = JSON with `payment_id`, `amount`, and at will `text`. Output: one receipt for
each, with the account's total after it.
"""

from __future__ import annotations

from typing import Any

import click
import msgspec
from confluent_kafka import Message

from reference_app.launch import EXIT_CODES, app_options, launch
from reference_app.streams import (
    STRING,
    Context,
    KeyValueStore,
    Processor,
    Sink,
    Source,
    Step,
    Topology,
    json,
)


class Change(msgspec.Struct, frozen=True, gc=False):
    payment_id: int
    amount: int
    text: str = ""


class Profile(msgspec.Struct, frozen=True, gc=False):
    """A value of the store `profiles` and of its changelog; the key is the account."""

    total: int
    text: str


class Receipt(msgspec.Struct, frozen=True, gc=False):
    payment_id: int
    total: int


PROFILES: KeyValueStore[str, Profile] = KeyValueStore("profiles", STRING, json(Profile))


def keeping(topic: str) -> Processor:
    sink: Sink[str, Receipt] = Sink(topic, STRING, json(Receipt))

    def keep(context: Context) -> Step:
        profiles = context.store(PROFILES)
        send_receipt = context.sink(sink)

        def step(account: str, change: Change, _message: Message) -> None:
            before = profiles.get(account)
            total = change.amount + (0 if before is None else before.total)
            profiles.put(account, Profile(total, change.text))
            send_receipt(account, Receipt(change.payment_id, total))

        return step

    return Processor("keep", keep, stores=(PROFILES,), sinks=(sink,))


@click.command(epilog=EXIT_CODES, context_settings={"max_content_width": 100})
@click.option("--input", "changes", default="changes", show_default=True)
@click.option("--output", "receipts", default="profile-receipts", show_default=True)
@app_options(application_id="profiles")
def main(changes: str, receipts: str, **app: Any) -> None:
    """Keep the newest profile of each account (store `profiles`), with a total of its amounts."""
    source = Source(changes, STRING, json(Change))
    launch(Topology("profiles", source, (keeping(receipts),)), **app)


if __name__ == "__main__":
    main(prog_name="python -m reference_app.profiles")
