"""Kafka's record batches, format 2 (KIP-98), as bytes on the wire and on disk: no cluster here."""

from eoscheck.logformat.batches import Batches, Control

__all__ = ["Batches", "Control"]
