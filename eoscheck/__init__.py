"""eoscheck: prove that a Kafka pipeline is exactly-once, and know what a failure costs it."""

__version__ = "0.1.0"
