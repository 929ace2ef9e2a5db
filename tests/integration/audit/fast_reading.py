"""Both readers on one topic, each with the same columns of every record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, TopicPartition
from numpy.typing import NDArray

from eoscheck.audit.identity import parse
from eoscheck.audit.readers.fast import FastRead, read_fast
from eoscheck.audit.readers.scan import Reached, Span, committed_reader, read_committed
from eoscheck.audit.rows.block import Block, ColumnSpec, Wanted
from eoscheck.audit.rows.digests import digest_all, digest_contents
from eoscheck.audit.rows.records import Content
from eoscheck.cluster.raw_log import RawLog
from eoscheck.logformat import Batches, Control

Row = tuple[int, int, tuple[int, int], tuple[int, int]]
"""partition, offset, identity, content"""


class JavaView:
    """What Java's consumer hands on (`CompletedFetch`), batch by batch."""

    def take(
        self, partition: int, batches: Batches, aborted: Sequence[tuple[int, int]], **_: Any
    ) -> NDArray[np.bool_]:
        listed = sorted(aborted, key=lambda entry: entry[1])
        producers: set[int] = set()
        given = []
        for row in range(len(batches)):
            while listed and listed[0][1] <= batches.last_offset[row]:
                producers.add(listed.pop(0)[0])
            producer = int(batches.producer_id[row])
            if batches.control[row] == Control.ABORT:
                producers.discard(producer)
            skipped = bool(batches.transactional[row]) and producer in producers
            given.append(batches.control[row] == Control.DATA and not skipped)
        return np.array(given, dtype=np.bool_)


@dataclass
class Rows:
    """Takes blocks or records; `rows` in the order of partition and offset."""

    identity: str
    rows: list[Row] = field(default_factory=list)
    blocks: int = 0

    def sorted(self) -> list[Row]:
        return sorted(self.rows)

    def add(self, *given: Any) -> None:
        if len(given) == 1:
            self._block(given[0])
        else:
            self._records(*given)

    def _block(self, block: Block) -> None:
        self.blocks += 1
        content: Any = block.columns["content"]
        self.rows += zip(
            [block.partition] * len(block),
            block.offset.tolist(),
            zip(block.identity.low.tolist(), block.identity.high.tolist(), strict=True),
            zip(content.low.tolist(), content.high.tolist(), strict=True),
            strict=True,
        )

    def _records(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        identify = parse(self.identity)
        digests = digest_contents([each[0] for each in contents], [each[1] for each in contents])
        for row, content in enumerate(contents):
            found = identify(*content)
            if found is None:
                continue
            identity = (found, 0) if isinstance(found, int) else _text(found)
            self.rows.append(
                (
                    partitions[row],
                    offsets[row],
                    identity,
                    (int(digests.low[row]), int(digests.high[row])),
                )
            )


def _text(found: str) -> tuple[int, int]:
    low, high = digest_all([found.encode()])
    return int(low[0]), int(high[0])


def spans_of(client_config: Mapping[str, str], topic: str) -> dict[int, Span]:
    # Up to the high watermark: a committed reader would be told the last stable offset.
    settings = {"group.id": "unused", "isolation.level": "read_uncommitted", "log_level": 0}
    consumer = Consumer({**client_config, **settings})
    try:
        found = {}
        for number in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            start, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            found[number] = Span(start=start, cut=end)
        return found
    finally:
        consumer.close()


def by_client(
    client_config: Mapping[str, str],
    topic: str,
    spans: Mapping[int, Span],
    identity: str,
    *,
    patience_s: float = 20.0,
) -> tuple[list[Row], dict[int, Reached]]:
    rows = Rows(identity)
    with committed_reader(client_config) as consumer:
        reached = read_committed(
            topic, spans, consumer=consumer, sink=rows, with_headers=True, patience_s=patience_s
        )
    return rows.sorted(), reached


def by_fast_reader(
    client_config: Mapping[str, str],
    topic: str,
    spans: Mapping[int, Span],
    identity: str,
    *,
    patience_s: float = 20.0,
    view: Any = None,
) -> tuple[list[Row], FastRead]:
    rows = Rows(identity)
    wanted = Wanted(identity=identity, columns={"content": ColumnSpec(kind="content")})
    with RawLog(client_config) as log:
        read = read_fast(
            topic,
            spans,
            log=log,
            wanted=wanted,
            sink=rows,
            view=view or JavaView(),
            patience_s=patience_s,
        )
    return rows.sorted(), read
