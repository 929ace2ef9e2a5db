"""Kafka's record batches, format 2 (KIP-98), as bytes on the wire and on disk: no cluster here."""

from eoscheck.logformat.batches import Batches, Control
from eoscheck.logformat.decompress import decompress, decompress_into, decompresses
from eoscheck.logformat.headers import checks_crc, read_batches
from eoscheck.logformat.records import Record, read_records, record_at

__all__ = [
    "Batches",
    "Control",
    "Record",
    "checks_crc",
    "decompress",
    "decompress_into",
    "decompresses",
    "read_batches",
    "read_records",
    "record_at",
]
