"""Which records of a topic were taken back by the end of their transaction, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from eoscheck.cluster.raw_log import RawLog
from eoscheck.cluster.view import ClusterView
from eoscheck.logformat.batches import Control
from eoscheck.logformat.headers import read_batches


def aborted_records(client_config: Mapping[str, str], topic: str) -> list[tuple[float, int]]:
    """Each abort marker as (Unix seconds, records that it took back), by what the topic holds now.
    Raises UsageError where there is no such topic, InfrastructureError where it is not answered."""
    with ClusterView(client_config) as view:
        starts, ends = view.log_starts(topic), view.high_watermarks(topic)
    spans = {part: (start, ends[part]) for part, start in starts.items()}
    with RawLog(client_config) as log, log.read(topic, spans, committed=False) as reading:
        opened: dict[tuple[int, int], int] = defaultdict(int)
        return [
            abort
            for part in reading
            for abort in _aborts(part.records, partition=part.partition, opened=opened)
        ]


def _aborts(
    data: memoryview, *, partition: int, opened: dict[tuple[int, int], int]
) -> Iterator[tuple[float, int]]:
    """`opened`: the records of each transaction under way, by partition and producer."""
    batches = read_batches(data, check_crc=False)
    for row in range(len(batches)):
        if not batches.transactional[row]:
            continue
        whose = partition, int(batches.producer_id[row])
        if batches.control[row] == Control.DATA:
            opened[whose] += int(batches.records[row])
        elif batches.control[row] in (Control.ABORT, Control.COMMIT):
            records = opened.pop(whose, 0)
            if records and batches.control[row] == Control.ABORT:
                yield int(batches.max_timestamp[row]) / 1000, records
