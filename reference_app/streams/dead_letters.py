"""Poison records: put aside in a topic of their own, inside the transaction that passes them.

A record that cannot be decoded has had no effect yet, and goes there at once. One that a processor
refuses may have had half of its effects: the transaction is aborted, and when the record comes
again it goes there instead of through the processors. Headers are named as in KIP-1034.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Message

from reference_app.streams.changelog import Headers, Send
from reference_app.streams.errors import TransactionAborted
from reference_app.streams.logs import event

_LOG = logging.getLogger(__name__)
_ERRORS = "__streams.errors."


class RecordRefused(TransactionAborted):
    """A processor refused a record: it goes to the dead letters when it comes again."""


@dataclass(frozen=True)
class Refused:
    """A record that is to pass its processors by."""

    offset: int
    error: Exception


@dataclass(frozen=True)
class DeadLetters:
    """Sends records to `topic` with their own key, value and headers; `on_sent` counts them."""

    topic: str
    send: Send
    on_sent: Callable[[], None]

    def put(self, message: Message, error: Exception) -> None:
        told = {
            "exception": type(error).__name__,
            "message": str(error),
            "topic": str(message.topic()),
            "partition": str(message.partition()),
            "offset": str(message.offset()),
        }
        own: Headers = message.headers() or []  # type: ignore[assignment]
        headers = own + [(_ERRORS + name, text.encode()) for name, text in told.items()]
        self.send(self.topic, message.value(), message.key(), headers=headers)
        self.on_sent()
        event(
            _LOG,
            "dead_letter",
            level=logging.WARNING,
            task=message.partition(),
            offset=message.offset(),
            reason=f"{told['exception']}: {told['message']}",
        )
