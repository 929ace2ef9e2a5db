"""The least that an audit of raw batches costs: fetching them, and reading their headers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from eoscheck.cluster.raw_log import RawLog
from eoscheck.logformat import read_batches


@dataclass(frozen=True, kw_only=True)
class Floor:
    """`cpu_s` is that of this process, the broker's apart."""

    wall_s: float
    cpu_s: float
    batches: int
    bytes: int


def floor(
    client_config: Mapping[str, str],
    topic: str,
    ends: Mapping[int, int],
    *,
    check_crc: bool = False,
) -> Floor:
    """Reads every partition from 0 to its end (a high watermark), as the fast reader does."""
    with RawLog(client_config) as log:
        spans = {number: (0, end) for number, end in ends.items()}
        wall, cpu, batches, size = time.perf_counter(), time.process_time(), 0, 0
        with log.read(topic, spans, committed=True) as reading:
            for part in reading:
                batches += len(read_batches(part.records, check_crc=check_crc))
                size += len(part.records)
        return Floor(
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
            batches=batches,
            bytes=size,
        )
