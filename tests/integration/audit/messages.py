"""Committed records of a topic as the columns that the state checks take, without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from confluent_kafka import Message

from eoscheck.audit.checks.golden import ContentRows
from eoscheck.audit.checks.invariants import GroupedRows
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.identity import parse
from eoscheck.audit.oracles.windows import window_expression
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import Integers, as_numbers, encode
from eoscheck.audit.rows.digests import digest_contents, digest_values


def table_of(topic: str, messages: Sequence[Message], *, window: str | None = None) -> TableRows:
    starts = None
    if window is not None:
        starts = Numbers(*as_numbers(evaluated(window_expression(window), messages)))
    return TableRows(
        name=topic,
        topic=topic,
        **_places(messages),
        key=encode(evaluated("key", messages))[0],
        value=digest_values([message.value() for message in messages]),  # type: ignore[misc]
        window=starts,
    )


def contents_of(topic: str, messages: Sequence[Message]) -> ContentRows:
    keys = [message.key() for message in messages]
    values = [message.value() for message in messages]
    return ContentRows(topic=topic, **_places(messages), content=digest_contents(keys, values))  # type: ignore[arg-type]


def grouped_of(
    topic: str, messages: Sequence[Message], *, identity: str, group: str, number: str
) -> GroupedRows:
    return GroupedRows(
        topic=topic,
        **_places(messages),
        identity=encode(evaluated(identity, messages))[0],
        group=encode(evaluated(group, messages))[0],
        number=Numbers(*as_numbers(evaluated(number, messages))),
    )


def evaluated(expression: str, messages: Sequence[Message]) -> list[Any]:
    identify = parse(expression)
    return [identify(m.key(), m.value(), m.headers()) for m in messages]  # type: ignore[arg-type]


def _places(messages: Sequence[Message]) -> dict[str, Integers]:
    return {
        "partition": np.array([message.partition() for message in messages], dtype=np.int64),
        "offset": np.array([message.offset() for message in messages], dtype=np.int64),
    }
