"""Where the fields of a batch stand: format 2 of `DefaultRecordBatch` (KIP-98), big endian.

0 base offset (8)         21 attributes (2)           43 producer id (8)
8 length after it (4)     23 last offset delta (4)    51 producer epoch (2)
12 leader epoch (4)       27 base timestamp (8)       53 base sequence (4)
16 magic (1)              35 max timestamp (8)        57 count of records (4)
17 CRC-32C (4)                                        61 records
"""

from __future__ import annotations

import struct

HEADER = struct.Struct(">qiibIhiqqqhii")
LENGTH_END = 12
CRC_START = 17
CHECKED_FROM = 21
RECORDS_START = 61
SHORTEST_OLD = 14
"""The least length (after its field) of a message in the formats before 2."""

CODEC = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40
"""The base timestamp says when tombstones may go (KIP-534), and nothing of a record."""

SHORTEST_RECORD = 7
"""Bytes of a record without key, value and headers, its length included."""
