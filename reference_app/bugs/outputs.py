"""Bugs in where outputs go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reference_app.bugs.bug import Bug
from reference_app.streams.clients import Clients


class _ClientsOwnPartitioner(Clients):
    def _producer_properties(self, transactional_id: str | None) -> dict[str, Any]:
        properties = super()._producer_properties(transactional_id)
        return {**properties, "partitioner": "consistent_random"}


CRC32_PARTITIONER = Bug(
    name="crc32-partitioner",
    breaks="Outputs are partitioned by murmur2, as Java's are, so that they lie beside their "
    "inputs: here those without a partitioner of their own are, by CRC32.",
    like="librdkafka's default partitioner (consistent_random) beside Java producers: a join of "
    "two topics with equal keys and equal numbers of partitions finds nothing.",
    anomalies=("MISPARTITIONED",),
    fault="none",
    scenario="zoo-kills",
    settings=("faults=[]", "timing.steady=3s", "audit.partitioner=murmur2"),
    breed=lambda parts: replace(parts, clients=_ClientsOwnPartitioner),
)
