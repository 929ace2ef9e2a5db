"""Kafka's record batches, format 2 (KIP-98), as bytes on the wire and on disk: no cluster here."""

from eoscheck.logformat.batches import Batches, Control
from eoscheck.logformat.decompress import decompress, decompresses
from eoscheck.logformat.headers import checks_crc, read_batches
from eoscheck.logformat.records import Record, read_records

__all__ = [
    "Batches",
    "Control",
    "Record",
    "checks_crc",
    "decompress",
    "decompresses",
    "read_batches",
    "read_records",
]
