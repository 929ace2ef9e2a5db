"""The checks: pure functions over columns. No Kafka, no clock and no file in here.

Each module holds one group of anomalies. A check detects everything; what the guarantee allows is
filtered afterwards (`eoscheck.audit.judge`). Identity checks look at each identity by itself, and
order checks at each output partition by itself, so that another engine can feed them in parts.
"""
