"""Proxies between the subject, the brokers and each other: where network faults are put."""
